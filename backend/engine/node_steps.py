"""Steps inside a node execution: each is noted before it is done, and after it; done ones stay done."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from backend.core.block import Effect
from backend.core.errors import BadRequest, Conflict, StaleAttempt
from backend.core.execution import NodeExecution
from backend.core.node_steps import NAME_CHARACTERS, StepPlace
from backend.core.status import Status
from backend.engine.reviews import ReviewDesk
from backend.engine.tools import EngineTools

if TYPE_CHECKING:
    from backend.engine.run_loop import RunLoop


class StepDesk:
    """See backend.sdk.context.Steps. Every node execution has one, most do no steps: it is cheap."""

    __slots__ = ("_desk", "_execution", "_loop", "_place", "_tools", "_under_way")

    def __init__(
        self, tools: EngineTools, loop: "RunLoop", execution: NodeExecution, desk: ReviewDesk
    ) -> None:
        self._tools = tools
        self._loop = loop
        self._execution = execution
        self._desk = desk
        self._under_way: set[str] | None = None
        self._place: StepPlace | None = None

    @property
    def place(self) -> StepPlace:
        """Return whose steps they are."""
        if self._place is None:
            self._place = step_place(self._tools, self._loop, self._execution)
        return self._place

    async def once(
        self, name: str, work: Callable[[str], Awaitable[Any]], effect: Effect | None = None
    ) -> Any:
        """Do a step; see backend.sdk.context.BlockContext.once."""
        if not 0 < len(name) <= NAME_CHARACTERS:
            raise BadRequest(f"a step's name has 1 to {NAME_CHARACTERS} characters")
        under_way = self._under_way
        if under_way is None:
            under_way = self._under_way = set()
        if name in under_way:
            raise Conflict(f"step {name} of this node is under way already")
        under_way.add(name)
        try:
            return await self._do(name, work, repeatable=self.may_repeat(effect))
        finally:
            under_way.discard(name)

    def may_repeat(self, effect: Effect | None) -> bool:
        """Say whether a step of *effect*, None: the block's, may be done again after a crash."""
        execution = self._execution
        if effect is None:
            effect = execution.node.block.effect_with(execution.input or {})
            # A person has been asked about the whole of it, and said that it may run again.
            return effect is not Effect.AT_MOST_ONCE or self._desk.answered
        return effect is not Effect.AT_MOST_ONCE

    async def ready(self) -> None:
        """
        Wait until a step's cause is on disk.

        Raises:
            StaleAttempt: If the node does not run here any more.
        """
        execution = self._execution
        if self._loop.over or execution.status is not Status.RUNNING:
            raise StaleAttempt
        # Of a block with an effect, this was waited for before it began. A pure one may have begun
        # before its run's claim, or its own row, was there.
        if execution.node.block.effect_with(execution.input or {}) is Effect.PURE:
            await self._tools.journal.saved(self._loop)

    def key_of(self, name: str) -> str:
        """Return what is the same for every try of a step, and of no other."""
        return f"{self._execution.id}:{name}"

    async def _do(
        self, name: str, work: Callable[[str], Awaitable[Any]], *, repeatable: bool
    ) -> Any:
        await self.ready()
        storage, clock = self._tools.steps, self._tools.clock
        begun = await storage.begin_step(
            self.place, name, repeatable=repeatable, now_us=clock.now_us()
        )
        if begun.is_done:
            return begun.result
        result = self._loop.handed_on.plain(await work(self.key_of(name)))
        await storage.finish_step(self.place, name, result=result, now_us=clock.now_us())
        return result


def step_place(tools: EngineTools, loop: "RunLoop", execution: NodeExecution) -> StepPlace:
    """Return the place of the steps of one node execution."""
    record = loop.stored.record
    return StepPlace(
        user_id=record.user_id,
        graph_id=record.graph_id,
        run_id=record.id,
        root_id=loop.stored.root_id,
        node_exec_id=execution.id,
        owner=tools.journal.owner,
        attempt=loop.attempt,
    )
