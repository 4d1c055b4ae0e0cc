"""SendEmail: one mail, through the mail server of whoever runs the agent."""

from collections.abc import AsyncIterator
from typing import Any

from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    UserPasswordCredentials,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.mail import Draft, MailServer, addresses_in, bare, message_of

_REFERENCE = {"id": "mine", "provider": "smtp", "type": "user_password"}


class SendEmailBlock(Block):
    """Sends a mail of plain text through a mail server. The user name is the sender's address."""

    id = "4335878a-394e-4e67-adf2-919877ff49ae"
    categories = (Category.OUTPUT,)
    # A server that has taken a mail cannot be asked whether it has.
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={
                "to_email": "ann@example.com",
                "subject": "Hello",
                "body": "How are you?",
                "config": {"smtp_server": "mail.example.com", "smtp_port": 587},
                "credentials": _REFERENCE,
            },
            outputs=(("status", "Email sent successfully"),),
        ),
        Example(
            inputs={
                "to_email": "ann@example.com\nBcc: everybody@example.com",
                "subject": "Hello",
                "body": "How are you?",
                "config": {"smtp_server": "mail.example.com"},
                "credentials": _REFERENCE,
            },
            error="may not hold line breaks",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        to_email: str = pin(
            description="Who gets it: an address, or several between commas.",
            placeholder="recipient@example.com",
        )
        subject: str = pin(description="What it is about, in one line.")
        body: str = pin(description="What it says: plain text.")
        config: dict[str, Any] = pin(
            description="The mail server: its name, and its port (587 or 465 with encryption).",
            title="SMTP Config",
            schema={
                "type": "object",
                "properties": {
                    "smtp_server": {
                        "advanced": False,
                        "secret": False,
                        "title": "Smtp Server",
                        "type": "string",
                    },
                    "smtp_port": {
                        "advanced": True,
                        "default": 25,
                        "secret": False,
                        "title": "Smtp Port",
                        "type": "integer",
                    },
                },
                "required": ["smtp_server"],
            },
        )
        credentials: dict[str, Any] = credentials_pin(
            ["smtp"],
            [CredentialsKind.LOGIN],
            description="The user name and password for the mail server.",
        )

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="Why the mail was not sent.")
        status: str = pin(description="That the server has taken it.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Hand the mail over; yield that it is."""
        recipients = addresses_in(inputs.to_email)
        if not recipients:
            raise ValueError("the mail has nobody to go to")
        lent = await context.credentials(inputs.credentials)
        if not isinstance(lent, UserPasswordCredentials):
            raise ValueError("these credentials are no user name with a password")  # noqa: TRY004 - of the node, not of our code
        name = lent.username.reveal()
        if "@" not in name:
            raise ValueError(
                "the user name of these credentials is no mail address, so the mail has no sender"
            )
        [sender] = addresses_in(name)
        message = message_of(
            Draft(
                key=context.idempotency_key,
                sender=sender,
                to=recipients,
                subject=inputs.subject,
                text=inputs.body,
            ),
            now=context.started,
        )
        server = MailServer(
            host=str(inputs.config["smtp_server"]).strip(),
            port=int(inputs.config.get("smtp_port", 25)),
            username=lent.username,
            password=lent.password,
        )
        await context.guarded_mail().hand_over(
            message, server, sender=bare([sender])[0], recipients=bare(recipients)
        )
        yield "status", "Email sent successfully"
