"""What a block is given besides its inputs."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backend.core.execution import NodeExecution
from backend.engine.reviews import ReviewDesk
from backend.engine.tools import EngineTools
from backend.sdk import BlockContext

if TYPE_CHECKING:
    from backend.engine.run_loop import RunLoop


@dataclass(slots=True)
class Usage:
    """What a block used beside its own time; nested runs add to it."""

    cost: int = 0
    extra_steps: int = 0


class Agents:
    """See backend.sdk.context.Runs."""

    __slots__ = ("_execution", "_loop", "_tools", "_usage")

    def __init__(
        self, tools: EngineTools, loop: "RunLoop", execution: NodeExecution, usage: Usage
    ) -> None:
        self._tools = tools
        self._loop = loop
        self._execution = execution
        self._usage = usage

    def run(
        self, graph_id: str, graph_version: int, inputs: Mapping[str, Any]
    ) -> AsyncIterator[tuple[str, Any]]:
        """Run another agent inside this run; yield its outputs as they come."""
        return self._tools.nesting.run(
            self._loop, self._execution, self._usage, graph_id, graph_version, inputs
        )


def context_for(
    tools: EngineTools,
    loop: "RunLoop",
    execution: NodeExecution,
    usage: Usage,
    reviews: ReviewDesk,
) -> BlockContext:
    """Return the context of one node execution."""
    stored = loop.stored
    record = stored.record
    return BlockContext(
        user_id=record.user_id,
        graph_id=record.graph_id,
        graph_version=record.graph_version,
        graph_exec_id=record.id,
        root_exec_id=stored.root_id,
        node_id=execution.node.id,
        node_exec_id=execution.id,
        idempotency_key=execution.id,
        timezone=stored.timezone,
        address=tools.blocks.address(execution.node.block.id),
        web=tools.web,
        files=tools.files,
        memory=tools.memory,
        reviews=reviews,
        lender=tools.lender,
        agents=Agents(tools, loop, execution, usage),
        threads=tools.rooms.threads,
        processes=tools.rooms.processes,
        now=lambda: moment(tools.clock.now_us()),
        # The loop has noted its start before it asks for a context; add_us only calms the types.
        started_us=execution.start_us or execution.add_us,
    )


def moment(at_us: int) -> datetime:
    """Return microseconds since the epoch as blocks are told of time."""
    return datetime.fromtimestamp(at_us / 1e6, UTC)
