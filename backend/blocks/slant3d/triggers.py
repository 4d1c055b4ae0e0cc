"""Slant3DOrderWebhook: an order that Slant 3D has shipped starts an agent."""

from collections.abc import Iterator
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

_MINE: Final = {"id": "mine", "provider": "slant3d", "type": "api_key"}
#: Where in what was sent each output is.
_PLACES: Final = {
    "order_id": "orderId",
    "status": "status",
    "tracking_number": "trackingNumber",
    "carrier_code": "carrierCode",
}
_SENT: Final = {
    "orderId": "123",
    "status": "SHIPPED",
    "trackingNumber": "1Z999",
    "carrierCode": "ups",
}


class Slant3DOrderWebhookBlock(Block):
    """Starts the agent when Slant 3D ships an order."""

    id = "8a74c2ad-0104-4640-962f-26c6b69e58cd"
    categories = (Category.DEVELOPER_TOOLS,)
    block_type = BlockType.WEBHOOK
    webhook = WebhookConfig(
        provider="slant3d",
        webhook_type="orders",
        event_filter_input="events",
        event_format="order.{event}",
    )
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"credentials": _MINE, "payload": _SENT},
            outputs=[
                ("payload", _SENT),
                ("order_id", "123"),
                ("status", "SHIPPED"),
                ("tracking_number", "1Z999"),
                ("carrier_code", "ups"),
            ],
        ),
        Example(inputs={"credentials": _MINE, "payload": {}}, error="There is no order"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["slant3d"], [CredentialsKind.KEY], description="A key of Slant 3D."
        )
        payload: dict[str, Any] = pin(
            default_factory=dict, hidden=True, description="What Slant 3D sent."
        )
        events: dict[str, Any] = pin(
            default_factory=lambda: {"shipped": True},
            description="Which events start the agent.",
            schema={
                "type": "object",
                "title": "Events",
                "default": {"shipped": True},
                "properties": {"shipped": {"default": True, "title": "Shipped", "type": "boolean"}},
            },
        )

    @pins
    class Output:
        """Output pins."""

        payload: dict[str, Any] = pin(description="All that was sent.")
        order_id: str = pin(description="The order.")
        status: str = pin(description="How it stands.")
        tracking_number: str = pin(description="By which its carrier knows it.")
        carrier_code: str = pin(description="Who carries it.")
        error: str = pin(description="What is missing in what was sent.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Give out what was sent, and its parts."""
        if not inputs.payload.get("orderId"):
            raise ValueError("There is no order: Slant 3D sends one, or give one to try.")
        yield "payload", inputs.payload
        for name, place in _PLACES.items():
            value = inputs.payload.get(place)
            if value is not None:
                yield name, str(value)
