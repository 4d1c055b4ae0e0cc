"""AirtableWebhookTrigger: what changes in a table starts an agent."""

from collections.abc import Iterator
from typing import Any, Final

from backend.blocks.airtable.service import MINE, account_pin
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

_EVENTS: Final = ("tableData", "tableFields", "tableMetadata")
_SENT: Final = {
    "actionMetadata": {"source": "client", "sourceMetadata": {"user": {"id": "usr1"}}},
    "baseTransactionNumber": 7,
    "payloadFormat": "v0",
    "timestamp": "2026-11-27T10:00:00.000Z",
    "changedTablesById": {"tbl1": {"changedRecordsById": {"rec1": {"current": {}}}}},
}
_OBJECT: Final = {"type": "object", "additionalProperties": True}
_PAYLOAD: Final = {
    "type": "object",
    "title": "WebhookPayload",
    "properties": {
        "actionMetadata": {**_OBJECT, "title": "Actionmetadata"},
        "baseTransactionNumber": {"type": "integer", "title": "Basetransactionnumber"},
        "payloadFormat": {"type": "string", "title": "Payloadformat"},
        "timestamp": {"type": "string", "title": "Timestamp"},
        **{
            name: {"anyOf": [kind, {"type": "null"}], "default": None, "title": name.capitalize()}
            for name, kind in (
                ("changedTablesById", _OBJECT),
                ("createdTablesById", _OBJECT),
                ("destroyedTableIds", {"type": "array", "items": {"type": "string"}}),
                ("error", {"type": "boolean"}),
                ("code", {"type": "string"}),
            )
        },
    },
    "required": ["actionMetadata", "baseTransactionNumber", "payloadFormat", "timestamp"],
}


class AirtableWebhookTriggerBlock(Block):
    """Starts the agent when records, fields or the looks of a table at Airtable change."""

    id = "d0180ce6-ccb9-48c7-8256-b39e93e62801"
    categories = (Category.INPUT, Category.DATA)
    block_type = BlockType.WEBHOOK
    webhook = WebhookConfig(
        provider="airtable",
        webhook_type="not-used",
        event_filter_input="events",
        event_format="{event}",
        resource_format="{base_id}/{table_id_or_name}",
    )
    effect = Effect.PURE
    examples = (
        Example(
            inputs={
                "credentials": MINE,
                "base_id": "app1",
                "table_id_or_name": "People",
                "events": {"tableData": True},
                "payload": _SENT,
            },
            outputs=[("payload", _SENT)],
        ),
        Example(
            inputs={
                "credentials": MINE,
                "base_id": "app1",
                "table_id_or_name": "People",
                "events": {"tableData": True},
                "payload": {},
            },
            error="There is no change",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        base_id: str = pin(description="The base, as its address names it: app….")
        table_id_or_name: str = pin(description="The table.")
        events: dict[str, Any] = pin(
            description="What starts the agent: records, fields, or the name and description.",
            schema={
                "type": "object",
                "title": "AirtableEventSelector",
                "properties": {
                    name: {"default": True, "title": name.capitalize(), "type": "boolean"}
                    for name in _EVENTS
                },
            },
        )
        payload: dict[str, Any] = pin(
            default_factory=dict,
            hidden=True,
            description="What changed, as Airtable keeps it.",
            schema={
                "type": "object",
                "title": "Payload",
                "additionalProperties": True,
            },
        )

    @pins
    class Output:
        """Output pins."""

        payload: dict[str, Any] = pin(
            description="What changed, by whom and when.", schema=dict(_PAYLOAD)
        )

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Give out what changed."""
        if not inputs.payload:
            raise ValueError("There is no change: Airtable tells one, or give one to try.")
        yield "payload", inputs.payload
