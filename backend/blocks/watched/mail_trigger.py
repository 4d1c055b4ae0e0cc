"""MailTrigger: each new mail in a mailbox starts the agent."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.sdk import (
    Block,
    BlockContext,
    BlockType,
    Category,
    CredentialsKind,
    Effect,
    Example,
    WebhookConfig,
    credentials_pin,
    pin,
    pins,
)

_REFERENCE: Final = {"id": "mine", "provider": "imap", "type": "user_password"}
_MAIL: Final[dict[str, Any]] = {
    "from": "Bob <bob@example.com>",
    "to": ["ann@example.com"],
    "cc": [],
    "subject": "Lunch?",
    "date": "2026-01-31T12:37:00+00:00",
    "message_id": "<1@example.com>",
    "text": "At noon?",
    "html": "",
    "attachments": [],
    "left_out": [],
    "is_whole": True,
}


class MailTriggerBlock(Block):
    """
    Starts the agent when a mail comes into a mailbox (IMAP).

    Mails that were there when the trigger was set up start nothing. The mailbox is only read: no
    mail is marked or moved. Servers that can tell of new mail do so; else the server looks as often
    as the interval says.
    """

    id = "c141f1ff-ed6e-4b07-bd9d-cc43f5e45fa7"
    categories = (Category.INPUT,)
    block_type = BlockType.WEBHOOK_MANUAL
    webhook = WebhookConfig(provider="imap", webhook_type="mail")
    effect = Effect.IDEMPOTENT
    examples = (
        Example(
            inputs={"host": "imap.example.com", "credentials": _REFERENCE, "payload": _MAIL},
            outputs=[
                ("sender", "Bob <bob@example.com>"),
                ("to", ["ann@example.com"]),
                ("cc", []),
                ("subject", "Lunch?"),
                ("date", "2026-01-31T12:37:00+00:00"),
                ("message_id", "<1@example.com>"),
                ("text", "At noon?"),
                ("html", ""),
                ("attachments", []),
                ("left_out", []),
                ("is_whole", True),
            ],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        payload: dict[str, Any] = pin(
            default_factory=dict, hidden=True, description="What was found."
        )
        credentials: dict[str, Any] = credentials_pin(
            ["imap"],
            [CredentialsKind.LOGIN],
            description="The user name and password for the mail server.",
        )
        host: str = pin(description="The mail server.", placeholder="imap.example.com")
        port: int = pin(default=993, description="Its port: 993, or 143 with STARTTLS.")
        mailbox: str = pin(default="INBOX", description="The name of the mailbox.")
        from_filter: str = pin(
            default="", description="A part of the sender; other mails start nothing."
        )
        subject_filter: str = pin(
            default="", description="A part of the subject; other mails start nothing."
        )
        interval: int = pin(default=300, description="Seconds between two looks.")
        idle: bool = pin(
            default=True, description="Let the mail server tell of new mail, if it can (IDLE)."
        )

    @pins
    class Output:
        """Output pins."""

        sender: str = pin(description="Who wrote it, as the mail says.")
        to: list[str] = pin(description="To whom, addresses.")
        cc: list[str] = pin(description="To whom else, addresses.")
        subject: str = pin(description="What it is about.")
        date: str = pin(description="When it was written; empty if the mail does not say.")
        message_id: str = pin(description="Its Message-ID.")
        text: str = pin(description="What it says, as plain text; may be empty.")
        html: str = pin(description="What it says, as a web page; may be empty.")
        attachments: list[str] = pin(
            description="The files that came with it.",
            schema={"type": "array", "items": {"type": "string", "format": "file"}},
        )
        left_out: list[str] = pin(
            description="Names of files that were refused: they are too large, or hold a virus."
        )
        is_whole: bool = pin(
            description="False: the mail is larger than is taken, and only its header is here."
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Keep the files with the run, and yield what the mail says."""
        mail = inputs.payload
        if "message_id" not in mail:
            raise ValueError("there is no mail: this agent is started by its mailbox")
        yield "sender", str(mail.get("from", ""))
        for name in ("to", "cc"):
            yield name, list(mail.get(name) or [])
        for name in ("subject", "date", "message_id", "text", "html"):
            yield name, str(mail.get(name, ""))
        # The mailbox's own copies go after some days; the run keeps some as long as it is there.
        files = [
            (await context.run_files().store(str(one["file"]))).reference
            for one in mail.get("attachments") or []
        ]
        yield "attachments", files
        yield "left_out", list(mail.get("left_out") or [])
        yield "is_whole", bool(mail.get("is_whole", True))
