"""The node of a graph at which something outside starts runs, and what a run gives to it.

Pure functions over a graph and the catalog (spec/semantics.md 2.3, 3.4).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backend.core.block import BlockSpec, BlockType
from backend.core.catalog import Catalog
from backend.core.errors import BadRequest
from backend.core.graph import Graph
from backend.core.ids import NodeId
from backend.core.json import JsonObject

#: The pin on which what was delivered comes in.
PAYLOAD: Final = "payload"

#: Between the names of what happened at once.
SEVERAL: Final = "+"

_TRIGGERS: Final = frozenset({BlockType.WEBHOOK, BlockType.WEBHOOK_MANUAL})
#: Who calls when a trigger does not say: only such triggers hold no credentials.
_ANYBODY: Final = "generic_webhook"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger:
    """A node that starts runs, and its block."""

    node_id: NodeId
    block: BlockSpec
    defaults: Mapping[str, Any] = field(default_factory=dict)  #: the node's own values, by pin

    @property
    def pins(self) -> tuple[str, ...]:
        """The pins that a run's inputs of the same names go to."""
        credentials = self.block.credentials
        return tuple(pin for pin in self.block.input_schema.properties if pin not in credentials)

    def mask(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of a run's *inputs* that are meant for this node, by pin."""
        return {pin: inputs[pin] for pin in self.pins if pin in inputs}

    def events(self, inputs: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the events that *inputs* choose, as the provider names them; empty: all of them."""
        config = self.block.webhook
        if config is None or not config.event_filter_input:
            return ()
        given = self._filter(inputs)
        chosen: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        # Exactly true: what is only like it was not chosen.
        wanted = (name for name in sorted(chosen) if chosen[name] is True)
        return tuple(config.event_format.replace("{event}", name) for name in wanted)

    def require_events(self, inputs: Mapping[str, Any]) -> None:
        """
        Refuse *inputs* that choose no event, or one that never comes: nothing would ever start.

        Raises:
            BadRequest: Saying which events there are.
        """
        config = self.block.webhook
        if config is None or not config.event_filter_input:
            return
        name, given = config.event_filter_input, self._filter(inputs)
        there = self.block.input_schema.properties.get(name, {}).get("properties", {})
        unknown = sorted(given.keys() - there.keys()) if isinstance(given, Mapping) else []
        if unknown:
            raise BadRequest(
                f"There is no event {unknown[0][:100]!r}; {name} takes {', '.join(sorted(there))}."
            )
        if not self.events(inputs):
            raise BadRequest(f"Choose at least one event: {name} has none that is true.")

    def _filter(self, inputs: Mapping[str, Any]) -> Any:
        """Return what *inputs* say on the pin that chooses events."""
        assert self.block.webhook is not None
        name = self.block.webhook.event_filter_input
        pin = self.block.input_schema.properties.get(name, {})
        return {name: pin.get("default"), **self.defaults, **inputs}.get(name)

    def takes(self, inputs: Mapping[str, Any], event: str) -> bool:
        """Say whether *inputs* choose *event*, or one of those that it is at once."""
        config = self.block.webhook
        is_any = config is None or not config.event_filter_input
        return is_any or not set(event.split(SEVERAL)).isdisjoint(self.events(inputs))


def trigger_of(graph: Graph, catalog: Catalog) -> Trigger | None:
    """Return the first trigger of *graph*; None if nothing outside starts it."""
    for node in graph.nodes:
        block = catalog.get(node.block_id)
        if block is not None and block.block_type in _TRIGGERS:
            return Trigger(node_id=node.id, block=block, defaults=node.input_default)
    return None


def trigger_setup_info(graph: Graph, catalog: Catalog) -> JsonObject | None:
    """Return what is needed to set up the trigger of *graph*; None if it has none."""
    found = trigger_of(graph, catalog)
    if found is None:
        return None
    block = found.block
    schema: dict[str, Any] = dict(block.inputs)
    properties = block.input_schema.properties
    schema["properties"] = {pin: properties[pin] for pin in found.pins}
    if "required" in schema:
        schema["required"] = [name for name in schema["required"] if name not in block.credentials]
    return {
        "provider": provider_of(block),
        "config_schema": schema,
        "credentials_input_name": next(iter(block.credentials), None),
    }


def provider_of(block: BlockSpec) -> str:
    """Return who calls a trigger."""
    if block.webhook is not None:
        return block.webhook.provider
    pin = next(iter(block.credentials.values()), {})
    return next(iter(pin.get("credentials_provider") or ()), _ANYBODY)
