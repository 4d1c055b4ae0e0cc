"""Telegram: what starts an agent when somebody writes to a bot."""

from collections.abc import Iterator, Mapping
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

_MINE: Final = {"id": "mine", "provider": "telegram", "type": "api_key"}
_KINDS: Final = ("text", "photo", "voice", "audio", "document", "video", "sticker", "location")
_MESSAGE: Final = {
    "message_id": 5,
    "chat": {"id": 42},
    "from": {"id": 7, "first_name": "Ada", "username": "ada"},
    "text": "Hello",
}
_SENT: Final = {"update_id": 1, "message": _MESSAGE}


class TelegramMessageTriggerBlock(Block):
    """Starts the agent when somebody writes to a bot at Telegram."""

    id = "4435e4e0-df6e-4301-8f35-ad70b12fc9ec"
    categories = (Category.COMMUNICATION, Category.INPUT)
    block_type = BlockType.WEBHOOK
    webhook = WebhookConfig(
        provider="telegram",
        webhook_type="bot",
        event_filter_input="events",
        event_format="message.{event}",
    )
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"credentials": _MINE, "events": {"text": True}, "payload": _SENT},
            outputs=[
                ("payload", _SENT),
                ("event", "text"),
                ("message_id", 5),
                ("chat_id", 42),
                ("user_id", 7),
                ("username", "ada"),
                ("first_name", "Ada"),
                ("text", "Hello"),
            ],
        ),
        Example(
            inputs={"credentials": _MINE, "events": {"text": True}, "payload": {}},
            error="There is no message",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["telegram"], [CredentialsKind.KEY], description="The bot's token."
        )
        payload: dict[str, Any] = pin(
            default_factory=dict, hidden=True, description="What Telegram sent."
        )
        events: dict[str, Any] = pin(
            description="Which messages start the agent.",
            schema={
                "type": "object",
                "title": "Events",
                "properties": {
                    name: {"default": False, "title": name.title(), "type": "boolean"}
                    for name in _KINDS
                },
            },
        )

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What is missing in what was sent.")
        payload: dict[str, Any] = pin(description="All that Telegram sent.")
        event: str = pin(description="What kind of message it is.")
        message_id: int = pin(description="The message's number.")
        chat_id: int = pin(description="Where it was written; answers go there.")
        user_id: int = pin(description="Who wrote it.")
        username: str = pin(description="The name by which others find them.")
        first_name: str = pin(description="What they are called.")
        text: str = pin(description="What it says, or what stands below a picture.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Give out what was sent, and its parts."""
        message = inputs.payload.get("message")
        if not isinstance(message, Mapping):
            raise ValueError("There is no message: give one to try it.")  # noqa: TRY004 - a user reads it
        yield "payload", inputs.payload
        sender, chat = message.get("from") or {}, message.get("chat") or {}
        found = {
            "event": next((name for name in _KINDS if name in message), None),
            "message_id": message.get("message_id"),
            "chat_id": chat.get("id"),
            "user_id": sender.get("id"),
            "username": sender.get("username"),
            "first_name": sender.get("first_name"),
            "text": message.get("text", message.get("caption")),
        }
        for name, value in found.items():
            if value is not None:
                yield name, value
