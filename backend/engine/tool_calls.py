"""Nodes that call other nodes of their graph: whom they may call, and what came of each call.

The rules are in core/calling.py. Here callers wait: for the end of what they have called, and for
the disk, so that what they do next rests on rows.
"""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backend.core.block import Effect
from backend.core.errors import BadRequest
from backend.core.events import ToolCalled, ToolLeft
from backend.core.execution import NodeExecution
from backend.core.ids import tool_call_id
from backend.core.pins import base_name
from backend.core.plan import NodePlan
from backend.engine.tools import EngineTools
from backend.sdk.tools import ToolNode, ToolPin, ToolResult

if TYPE_CHECKING:
    from backend.engine.run_loop import RunLoop


class OpenCalls:
    """The callers of one run that wait."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[NodeExecution]] = {}

    def wait_for(self, call: str) -> "asyncio.Future[NodeExecution]":
        """Return what will be the execution of *call* when it has ended."""
        found = self._waiting.get(call)
        if found is None:
            found = self._waiting[call] = asyncio.get_running_loop().create_future()
        return found

    def forget(self, call: str) -> None:
        """Wait no more for *call*."""
        self._waiting.pop(call, None)

    def ended(self, execution: NodeExecution) -> None:
        """Tell who waits for *execution*, if somebody does."""
        found = self._waiting.pop(execution.id, None)
        if found is not None and not found.done():
            found.set_result(execution)


class ToolDesk:
    """See backend.sdk.tools.Tools."""

    __slots__ = ("_execution", "_loop", "_tools")

    def __init__(self, tools: EngineTools, loop: "RunLoop", execution: NodeExecution) -> None:
        self._tools = tools
        self._loop = loop
        self._execution = execution

    def listed(self) -> Sequence[ToolNode]:
        """Return the nodes that this one may call, in the order of its links."""
        skipped, masks = self._loop.execution.skipped, self._loop.execution.masks
        return [
            tool_node(sink, pins, masks.get(sink.id) or {})
            for sink, pins in self._execution.node.tools.values()
            if sink.id not in skipped
        ]

    async def call(self, key: str, node_id: str, inputs: Mapping[str, Any]) -> ToolResult:
        """Call a node; see backend.sdk.tools.Tools.call."""
        loop, execution = self._loop, self._execution
        self._require_callable(node_id)
        given = loop.handed_on.plain(dict(inputs))
        id_ = tool_call_id(execution.id, key)
        ended = loop.open_calls.wait_for(id_)
        try:
            loop.happened(
                ToolCalled(
                    ordinal=execution.ordinal,
                    key=key,
                    node=node_id,
                    inputs=given,
                    at_us=loop.now(),
                )
            )
            called = await asyncio.shield(ended)
        except asyncio.CancelledError:
            loop.happened(ToolLeft(ordinal=execution.ordinal, key=key, at_us=loop.now()))
            raise
        finally:
            loop.open_calls.forget(id_)
        # What is done next rests on this end: a crash must not find another one.
        await self._tools.journal.saved(loop)
        return ToolResult(outputs=tuple(called.outputs), error=called.error)

    def _require_callable(self, node_id: str) -> None:
        execution = self._execution
        found = execution.node.tools.get(node_id)
        if found is None or node_id in self._loop.execution.skipped:
            raise BadRequest(f"node #{node_id} is no tool of node #{execution.node.id}")
        # It runs again after a crash, and when people have decided for its tools.
        if execution.node.block.effect_with(execution.input or {}) is Effect.AT_MOST_ONCE:
            name = execution.node.block.name
            raise BadRequest(f"{name} must not be repeated, so it cannot call tools")


def tool_node(
    node: NodePlan, pins: Sequence[str], mask: Mapping[str, Any] = MappingProxyType({})
) -> ToolNode:
    """Return *node* as its callers see it; they may fill *pins*. *mask* stands before its values."""
    schema: Any = node.own.get("input_schema") if node.is_agent else node.block.inputs
    schema = schema if isinstance(schema, Mapping) else {}
    properties, required = schema.get("properties"), schema.get("required")
    properties = properties if isinstance(properties, Mapping) else {}
    required = required if isinstance(required, list) else []
    agent, about = node.agent
    named = node.metadata.get("customized_name") or agent or node.own.get("agent_name")
    return ToolNode(
        node_id=node.id,
        name=named if isinstance(named, str) and named else node.block.name,
        description=about or node.block.description,
        block_id=node.block_id,
        is_agent=node.is_agent,
        pins=tuple(_pin(node, pin, properties, required) for pin in pins),
        own={**node.own, **mask},
        linked=tuple(pin for pin in node.linked if pin not in pins),
    )


def _pin(
    node: NodePlan, pin: str, properties: Mapping[str, Any], required: Sequence[Any]
) -> ToolPin:
    base = base_name(pin)
    schema = properties.get(base)
    schema = dict(schema) if isinstance(schema, Mapping) else {}
    return ToolPin(
        name=pin,
        base=base,
        schema=schema,
        required=base in required and node.defaults.get(base) is None,
        default=node.defaults.get(pin, schema.get("default")),
    )
