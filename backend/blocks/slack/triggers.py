"""Slack: what starts an agent when something happens in a workspace."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from backend.sdk import (
    Block,
    BlockContext,
    BlockType,
    Category,
    Effect,
    Example,
    WebhookConfig,
    pin,
    pins,
)

_EVENTS: Final = (
    "app_mention",
    "message",
    "reaction_added",
    "reaction_removed",
    "member_joined_channel",
    "channel_created",
    "team_join",
    "file_shared",
)
_EVENT: Final = {"type": "app_mention", "user": "U1", "channel": "C1", "text": "Hi", "ts": "1.2"}
_SENT: Final = {"type": "event_callback", "event_id": "Ev1", "team_id": "T1", "event": _EVENT}


class SlackEventTriggerBlock(Block):
    """
    Starts the agent when something happens in a workspace of Slack.

    The address is made when the trigger is set up with the app's signing secret; give it to the
    app as its request URL.
    """

    id = "5b8b2d0a-7c1f-4a64-9a53-0f1d6f6f7a11"
    categories = (Category.COMMUNICATION, Category.INPUT)
    block_type = BlockType.WEBHOOK_MANUAL
    webhook = WebhookConfig(
        provider="slack", webhook_type="events", event_filter_input="events", event_format="{event}"
    )
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"events": {"app_mention": True}, "payload": _SENT},
            outputs=[
                ("payload", _SENT),
                ("event", "app_mention"),
                ("team", "T1"),
                ("user", "U1"),
                ("channel", "C1"),
                ("text", "Hi"),
                ("ts", "1.2"),
            ],
        ),
        Example(inputs={"events": {}, "payload": {}}, error="There is no event"),
    )

    @pins
    class Input:
        """Input pins."""

        payload: dict[str, Any] = pin(
            default_factory=dict, hidden=True, description="What Slack sent."
        )
        events: dict[str, Any] = pin(
            description="Which events start the agent.",
            schema={
                "type": "object",
                "title": "Events",
                "properties": {
                    name: {
                        "default": False,
                        "title": name.replace("_", " ").title(),
                        "type": "boolean",
                    }
                    for name in _EVENTS
                },
            },
        )

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What is missing in what was sent.")
        payload: dict[str, Any] = pin(description="All that Slack sent.")
        event: str = pin(description="What happened.")
        team: str = pin(description="The workspace.")
        user: str = pin(description="Whose deed it was.")
        channel: str = pin(description="Where.")
        text: str = pin(description="What was written.")
        ts: str = pin(description="By which Slack knows the message.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Give out what was sent, and its parts."""
        event = inputs.payload.get("event")
        if not isinstance(event, Mapping):
            raise ValueError("There is no event: Slack sends one, or give one to try.")  # noqa: TRY004 - a user reads it
        yield "payload", inputs.payload
        found = {
            "event": event.get("type"),
            "team": inputs.payload.get("team_id"),
            **{name: event.get(name) for name in ("user", "channel", "text", "ts")},
        }
        for name, value in found.items():
            if isinstance(value, str):
                yield name, value
