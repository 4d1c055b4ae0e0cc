"""What a run says of credentials that a user has not given, and where the operator's stand in."""

from collections.abc import Mapping
from typing import Any, Final

from backend.core import pins
from backend.core.catalog import Catalog
from backend.core.graph import Graph, Node

NO_CREDENTIALS: Final = "These credentials are required"


def unless_ours(
    text: str | None,
    graph: Graph,
    catalog: Catalog,
    node: Node,
    name: str,
    mask: Mapping[str, Any],
) -> str | None:
    """
    Return *text*, which is wrong with the pin *name*; nothing where the operator's key stands in.

    Where a key of the operator's would help, the text says which.
    """
    keys, block = catalog.operators, catalog.get(node.block_id)
    if text != NO_CREDENTIALS or keys is None or block is None:
        return text
    pin, properties = block.credentials[name], block.input_schema.properties
    discriminator = str(pin.get("discriminator"))
    linked = {pins.base_name(link.sink_name) for link in graph.links if link.sink_id == node.id}
    if discriminator in linked:
        return None if keys.may_serve(pin) else text  # the run will tell which model it is
    inputs = {**node.input_default, **mask}
    if keys.reference(pin, properties, inputs) is not None:
        return None
    advice = keys.advice(pin, properties, inputs)
    return f"{text}: {advice}" if advice else text
