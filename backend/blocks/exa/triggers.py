"""ExaWebsetWebhook: what happens in a webset starts an agent."""

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

_MINE: Final = {"id": "mine", "provider": "exa", "type": "api_key"}
#: The events, and whether they are chosen unless somebody says otherwise.
_EVENTS: Final = {
    "webset_created": True,
    "webset_deleted": False,
    "webset_paused": False,
    "webset_idle": False,
    "search_created": True,
    "search_completed": True,
    "search_canceled": False,
    "search_updated": False,
    "item_created": True,
    "item_enriched": True,
    "export_created": False,
    "export_completed": True,
    "import_created": False,
    "import_completed": True,
    "import_processing": False,
}
_DATA: Final = {"id": "item_1", "object": "webset_item", "websetId": "ws_1"}
_SENT: Final = {
    "id": "event_1",
    "object": "event",
    "type": "webset.item.created",
    "data": _DATA,
    "createdAt": "2026-11-27T10:00:00Z",
}


class ExaWebsetWebhookBlock(Block):
    """Starts the agent when something happens in a webset of Exa, or in any of them."""

    id = "d0204ed8-8b81-408d-8b8d-ed087a546228"
    categories = (Category.INPUT,)
    block_type = BlockType.WEBHOOK
    webhook = WebhookConfig(
        provider="exa",
        webhook_type="webset",
        event_filter_input="event_filter",
        event_format="{event}",
        resource_format="{webset_id}",
    )
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"credentials": _MINE, "payload": _SENT},
            outputs=[
                ("event_type", "webset.item.created"),
                ("event_id", "event_1"),
                ("webset_id", "ws_1"),
                ("data", _DATA),
                ("timestamp", "2026-11-27T10:00:00Z"),
                ("metadata", {}),
            ],
        ),
        Example(inputs={"credentials": _MINE, "payload": {}}, error="There is no event"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["exa"], [CredentialsKind.KEY], description="A key of Exa.", of_package=True
        )
        webhook_url: str = pin(
            default="", hidden=True, description="Not needed: the server tells its own."
        )
        webset_id: str = pin(default="", description="The webset; empty: any of the account.")
        event_filter: dict[str, Any] = pin(
            default_factory=lambda: dict(_EVENTS),
            description="Which events start the agent.",
            schema={
                "type": "object",
                "title": "WebsetEventFilter",
                "default": dict(_EVENTS),
                "properties": {
                    name: {
                        "default": is_chosen,
                        "title": name.replace("_", " ").title(),
                        "type": "boolean",
                    }
                    for name, is_chosen in _EVENTS.items()
                },
            },
        )
        payload: dict[str, Any] = pin(
            default_factory=dict,
            hidden=True,
            description="What Exa sent.",
            schema={
                "type": "object",
                "title": "Payload",
                "additionalProperties": True,
                "default": {},
            },
        )

    @pins
    class Output:
        """Output pins."""

        event_type: str = pin(description="What happened, as Exa calls it.")
        event_id: str = pin(description="By which Exa knows the event.")
        webset_id: str = pin(description="In which webset.")
        data: dict[str, Any] = pin(description="What it is about.")
        timestamp: str = pin(description="When.")
        metadata: dict[str, Any] = pin(description="What else was sent with it.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Give out what was sent, in parts."""
        sent = inputs.payload
        if not isinstance(sent.get("type"), str):
            raise ValueError("There is no event: Exa sends one, or give one to try.")  # noqa: TRY004 - a user reads it
        data = sent.get("data")
        about = data if isinstance(data, Mapping) else {}
        yield "event_type", sent["type"]
        yield "event_id", str(sent.get("id") or "")
        yield "webset_id", str(about.get("websetId") or about.get("id") or "")
        yield "data", dict(about)
        yield "timestamp", str(sent.get("createdAt") or "")
        yield "metadata", dict(sent.get("metadata") or {})
