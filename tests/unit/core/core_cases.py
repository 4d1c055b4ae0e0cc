"""Random runs of the core: what their nodes yield, fail with, ask and call."""

import zlib
from dataclasses import dataclass, field
from typing import Any

from core_samples import ANY, TEXT, block, pins

from backend.core import json
from backend.core.block import BlockType
from backend.core.catalog import Catalog
from backend.core.execution import NodeExecution
from backend.core.graph import Graph
from backend.core.step import ToolCalled

CATALOG = Catalog(
    (
        block(
            "Work",
            pins(a_=ANY, b=ANY, pick={"enum": [0, 1]}),
            pins(x_=ANY, y_=ANY, error=TEXT),
        ),
        block(
            "Out",
            pins(a_=ANY, value=ANY, pick={"enum": [0, 1]}, name=TEXT),
            pins(x_=ANY),
            block_type=BlockType.OUTPUT,
        ),
    )
)


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What a node does: how many values it yields on each pin, of which kind, and its end."""

    values: int = 1
    kind: str = "number"
    fails: bool = False
    asks: int = 0  #: one in so many of its executions, by ordinal, asks a person
    calls: int = 0  #: so many of the nodes that are its tools are called, before it yields anything


@dataclass(frozen=True, kw_only=True)
class Case:
    """A run to drive."""

    graph: Graph
    behaviours: dict[str, Behaviour]
    masks: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: frozenset[str] = frozenset()
    parallel: int = 100
    limit: int = 40


def outcome(case: Case, execution: NodeExecution) -> tuple[list[tuple[str, Any]], str | None]:
    """Return what a node yields and fails with: the same inputs always give the same."""
    behaviour = case.behaviours[execution.node.id]
    seed = zlib.crc32(json.dumps([execution.node.id, sorted(map(str, execution.input or {}))]))
    seed += _hash(execution)
    outputs: list[tuple[str, Any]] = []
    for number in range(behaviour.values):
        drawn = (seed + number * 7) % 1_000
        shape: dict[str, Any] = {
            "number": drawn,
            "nothing": None if drawn % 2 else drawn,
            "object": {"k": drawn} if drawn % 3 else {"other": drawn},
        }
        outputs.append(("x", shape[behaviour.kind]))
        if drawn % 2:
            outputs.append(("y", drawn % 3))
    fails = behaviour.fails and seed % 2 == 0
    return outputs, f"broken by {execution.node.id}" if fails else None


def _hash(execution: NodeExecution) -> int:
    """Return a number that its inputs decide, in whatever order they came."""
    return zlib.crc32(json.dumps(_sorted(execution.input)))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return value


#: Executions above it call nothing: nodes that call one another must come to an end.
LAST_CALLER = 15


def calls_of(case: Case, execution: NodeExecution) -> list[ToolCalled]:
    """Return what a node calls, all of it at once: the same inputs always mean the same calls."""
    tools = [tool for tool in execution.node.tools.values() if tool[0].id not in case.skipped]
    count = case.behaviours[execution.node.id].calls if execution.ordinal < LAST_CALLER else 0
    seed = _hash(execution)
    found: list[ToolCalled] = []
    for number in range(count if tools else 0):
        sink, pins = tools[(seed + number) % len(tools)]
        given = {pin: (seed + number) % 3 for pin in pins if (seed + number) % 4}
        found.append(
            ToolCalled(
                ordinal=execution.ordinal, key=str(number), node=sink.id, inputs=given, at_us=0
            )
        )
    return found
