"""A block that is run alone: the agent of one node, whose runs these are.

Such a run is journalled, counted, paid, bounded, stopped and taken up again like any other. The
agent is in no table, and no list shows its runs; the run itself says which block it is of.
"""

from collections.abc import Mapping
from typing import Any, Final

from backend.core import chat
from backend.core.block import BlockSpec
from backend.core.catalog import Catalog
from backend.core.graph import Graph, Node
from backend.core.ids import BlockId, GraphId, NodeId
from backend.core.policy import POLICY, OnError

GRAPH_ID: Final = GraphId("5d0f0f6e-6e0c-4d5b-9f0e-3a1f6d8f2b47")
VERSION: Final = 1
#: What starts such a run.
TRIGGER: Final = "block"
#: Nobody waits longer for one block.
LIMIT_S: Final = 300.0

#: Agents that everybody has and no list shows, nor their runs.
HIDDEN: Final = (chat.GRAPH_ID, GRAPH_ID)

Masks = Mapping[str, Mapping[str, Any]]


def masks_of(block: BlockSpec, inputs: Mapping[str, Any]) -> Masks:
    """Return what a run of *block* with *inputs* is given: its node is called as the block is."""
    return {block.id: inputs}


def block_of(masks: Masks | None) -> BlockId:
    """Return the block of a run with these masks; empty if they name none."""
    return BlockId(next(iter(masks or ()), ""))


def graph_of(block_id: BlockId, catalog: Catalog) -> Graph | None:
    """Return the agent that runs one block alone; None if there is no such block."""
    block = catalog.get(block_id)
    if block is None or not block_id:
        return None
    limit_s = min(block.time_limit_s or LIMIT_S, LIMIT_S)
    policy = {"time_limit_s": limit_s, "on_error": OnError.FAIL.value}
    node = Node(id=NodeId(block_id), block_id=block.id, metadata={POLICY: policy})
    return Graph(id=GRAPH_ID, version=VERSION, name=block.name, description="", nodes=(node,))
