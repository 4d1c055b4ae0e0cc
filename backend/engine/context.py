"""What a block is given besides its inputs."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backend.core.block import Effect
from backend.core.chat import GRAPH_ID, TRIGGER
from backend.core.execution import NodeExecution
from backend.core.node_steps import NO_USE, ModelUse
from backend.engine.model_calls import ModelDesk
from backend.engine.node_steps import StepDesk
from backend.engine.reviews import ReviewDesk
from backend.engine.tool_calls import ToolDesk
from backend.engine.tools import EngineTools
from backend.ports.storage import StoredRun
from backend.sdk import BlockContext
from backend.sdk.chat import ChatDesks

if TYPE_CHECKING:
    from backend.engine.run_loop import RunLoop


@dataclass(slots=True)
class Usage:
    """What a block used beside its own time; nested runs add to it."""

    cost: int = 0
    extra_steps: int = 0
    asked: ModelUse = NO_USE
    below: ModelUse = NO_USE  #: by the runs that it ran

    @property
    def models(self) -> ModelUse:
        """What it, and all below it, asked of models."""
        if self.below is NO_USE:
            return self.asked
        return self.asked + self.below


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
    steps = StepDesk(tools, loop, execution, reviews)
    models = None
    if tools.models is not None and execution.node.block.effect is not Effect.PURE:
        models = ModelDesk(tools, loop, execution, steps, usage)
    context = BlockContext(
        user_id=record.user_id,
        graph_id=record.graph_id,
        graph_version=record.graph_version,
        graph_exec_id=record.id,
        root_exec_id=stored.root_id,
        node_id=execution.node.id,
        node_exec_id=execution.id,
        idempotency_key=execution.id,
        timezone=stored.timezone,
        tools=ToolDesk(tools, loop, execution) if execution.node.tools else None,
        bounds=tools.limits.decisions,
        address=tools.blocks.address(execution.node.block.id),
        web=tools.web,
        mail=tools.mail,
        base_urls=tools.base_urls,
        files=tools.files,
        memory=tools.memory,
        reviews=reviews,
        steps=steps,
        models=models,
        lender=tools.lender,
        agents=Agents(tools, loop, execution, usage),
        threads=tools.rooms.threads,
        processes=tools.rooms.processes,
        sandboxes=tools.sandboxes,
        tool_servers=tools.tool_servers,
        chats=_chats(tools, stored),
        now=lambda: moment(tools.clock.now_us()),
        # The loop has noted its start before it asks for a context; add_us only calms the types.
        started_us=execution.start_us or execution.add_us,
    )
    if models is not None:
        models.context = context
    return context


def _chats(tools: EngineTools, stored: StoredRun) -> ChatDesks | None:
    """Return the conversations of a turn's user; None for all other runs, whatever is in them."""
    record = stored.record
    if tools.turns is None or (record.graph_id, stored.trigger) != (GRAPH_ID, TRIGGER):
        return None
    return tools.turns.of(record.user_id, record.id)


def moment(at_us: int) -> datetime:
    """Return microseconds since the epoch as blocks are told of time."""
    return datetime.fromtimestamp(at_us / 1e6, UTC)
