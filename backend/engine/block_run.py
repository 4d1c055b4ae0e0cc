"""One block, run for one node execution: inputs made, outputs checked, failures named."""

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from backend.core import json
from backend.core.block import Place
from backend.core.budgets import BudgetPending
from backend.core.call_prices import price_of_call
from backend.core.credits import price_of
from backend.core.errors import (
    BlockError,
    BlockExecutionError,
    BlockInputError,
    BlockOutputError,
    BlockUnknownError,
    ServiceLimited,
    StaleAttempt,
    TooLarge,
    Unavailable,
    WebTimedOut,
)
from backend.core.execution import NodeExecution
from backend.core.policy import Failure
from backend.core.reviews import NONE_YET, DecisionPending
from backend.engine.context import Usage, context_for
from backend.engine.handed_on import HandedOn
from backend.engine.places import Outputs, Rooms, in_process, in_thread, place_of
from backend.engine.recovery import check_answer
from backend.engine.reviews import ReviewDesk, reviewed_inputs
from backend.engine.tools import Blocks, EngineTools, Limits
from backend.ports.storage import StoredRun
from backend.sdk import Block, BlockContext, accept, failure_of, make_inputs

if TYPE_CHECKING:
    from backend.engine.run_loop import RunLoop


class BlockFailed(Exception):
    """
    A block failed; the text is what its error pin carries, *kind* what retries go by.

    *retry_after_s* is how long the service that it called asks to wait.
    """

    def __init__(self, text: str, kind: Failure, *, retry_after_s: float = 0.0) -> None:
        super().__init__(text)
        self.kind = kind
        self.retry_after_s = retry_after_s


class BlockRun:
    """
    A block about to run, or running.

    Attributes:
        price: What is to be paid before the first try; it is paid once for all of them.
        call_price: What each try may take of budgets, micro US dollars; None: it asks models, or
            nobody who is paid.
        skip: Outputs of an earlier attempt, on disk already; the first so many are passed over.
        ahead: Outputs since the node last waited for the disk.
        is_inline: Whether `outputs` works; otherwise `async_outputs` does.
    """

    __slots__ = (
        "_away",
        "_block",
        "_count",
        "_handed_on",
        "_inputs",
        "_limits",
        "ahead",
        "call_price",
        "context",
        "cpu_s",
        "effect",
        "execution",
        "is_inline",
        "price",
        "skip",
        "usage",
    )

    def __init__(
        self,
        block: Block | None,
        inputs: Any,
        execution: NodeExecution,
        context: BlockContext,
        usage: Usage,
        limits: Limits,
        away: Outputs | None = None,
        handed_on: HandedOn | None = None,
    ) -> None:
        """
        Take all that a block needs.

        Args:
            block: None where only another process has it.
            away: Runs it somewhere else than on the loop.
        """
        self._away = away
        self._block: Any = block
        self._inputs = inputs
        self._limits = limits
        self._count = 0
        self._handed_on = handed_on or HandedOn(limits.value_bytes)
        self.context = context
        self.execution = execution
        self.effect = execution.node.block.effect_with(execution.input or {})
        self.is_inline = away is None and not (block is None or block.waits)
        self.skip = len(execution.outputs)
        self.ahead = 0
        self.cpu_s = 0.0
        self.price = 0
        self.call_price: int | None = None
        self.usage = usage

    def again(self) -> None:
        """Make ready for another try: what earlier ones gave has been passed on."""
        self.skip = len(self.execution.outputs)
        self.ahead = 0
        self._count = 0

    def outputs(self) -> Iterator[tuple[str, Any]]:
        """Yield checked outputs of a block that waits for nothing. Raises BlockFailed."""
        try:
            for name, value in self._block.run(self._inputs, self.context):
                yield self._checked(name, value)
        except (GeneratorExit, DecisionPending, BudgetPending, StaleAttempt):
            raise
        except BaseException as exc:
            # Border: a block may raise anything, SystemExit included; it hurts only its own run.
            raise self._failed(exc) from exc

    async def async_outputs(self) -> AsyncIterator[tuple[str, Any]]:
        """Yield checked outputs of a block that waits. Raises BlockFailed, CancelledError."""
        try:
            if self._away is not None:
                async with aclosing(self._away(self)) as outputs:
                    async for name, value in outputs:
                        # A thread has made it plain already.
                        is_plain = self._block is not None
                        yield self._accepted(name, value if is_plain else self._plain(name, value))
                return
            async for name, value in self._block.run(self._inputs, self.context):
                yield self._checked(name, value)
        except (GeneratorExit, DecisionPending, BudgetPending, StaleAttempt):
            raise
        except BaseException as exc:
            if isinstance(exc, asyncio.CancelledError):
                raise
            if isinstance(exc, BaseExceptionGroup) and (pending := exc.subgroup(BudgetPending)):
                # It asked several models at once.
                raise BudgetPending(str(pending)) from exc
            raise self._failed(exc) from exc

    def plain_outputs(self) -> Generator[tuple[str, Any], None, None]:
        """Yield what the block yields, as its JSON form reads back. For a thread."""
        for name, value in self._block.run(self._inputs, self.context):
            yield name, self._plain(name, value)

    def note_cpu(self, seconds: float) -> None:
        """Add to the processor's time that the block took."""
        self.cpu_s += seconds

    def _checked(self, name: str, value: Any) -> tuple[str, Any]:
        """Return an output, plain and accepted. In one piece: a stream comes here often."""
        self._count += 1
        if self._count > self._limits.outputs_per_node:
            raise self._too_many()
        try:
            value = self._handed_on.plain(value)
        except json.NotJson as exc:
            raise self._not_json(name, exc) from exc
        if self.context.redactor is not None:
            # A server that was shown a secret may say it back.
            value = self.context.redactor.value(value)
        accept(self.execution.node.block, name, value)
        return name, value

    def _plain(self, name: str, value: Any) -> Any:
        try:
            return self._handed_on.plain(value)
        except json.NotJson as exc:
            raise self._not_json(name, exc) from exc

    def _not_json(self, name: str, error: json.NotJson) -> BlockOutputError:
        spec = self.execution.node.block
        return BlockOutputError(f"{name}: {error}", block_name=spec.name, block_id=spec.id)

    def _too_many(self) -> TooLarge:
        return TooLarge(
            f"more than {self._limits.outputs_per_node} outputs (setting MAX_OUTPUTS_PER_NODE)"
        )

    def _accepted(self, name: str, value: Any) -> tuple[str, Any]:
        self._count += 1
        if self._count > self._limits.outputs_per_node:
            raise self._too_many()
        accept(self.execution.node.block, name, value)
        return name, value

    def _failed(self, error: BaseException) -> BlockFailed:
        spec = self.execution.node.block
        if isinstance(error, BlockFailed):
            return error
        if isinstance(error, Exception):
            named = failure_of(spec, error)
            after_s = error.retry_after_s if isinstance(error, ServiceLimited) else None
            return BlockFailed(
                self._told(str(named)), kind_of(error, named), retry_after_s=after_s or 0.0
            )
        words = f"{type(error).__name__} {error}".strip()
        named = BlockUnknownError(words, block_name=spec.name, block_id=spec.id)
        return BlockFailed(self._told(str(named)), Failure.UNKNOWN)

    def _told(self, text: str) -> str:
        redactor = self.context.redactor
        return text if redactor is None else redactor.text(text)


@dataclass(slots=True)
class Inline:
    """A pure node under way: its loop runs it, a slice of time at a time."""

    run: BlockRun
    outputs: Iterator[tuple[str, Any]]


def kind_of(error: Exception, named: BlockError) -> Failure:
    """Return the kind of *error*, which a block raised and which is called *named*."""
    if isinstance(error, TimeoutError | WebTimedOut):
        return Failure.TIMEOUT
    if isinstance(error, Unavailable | ConnectionError):
        return Failure.UNAVAILABLE
    return _KINDS.get(type(named), Failure.EXECUTION)


_KINDS: Final[Mapping[type[BlockError], Failure]] = {
    BlockInputError: Failure.INPUT,
    BlockOutputError: Failure.OUTPUT,
    BlockUnknownError: Failure.UNKNOWN,
}


def prepare(tools: EngineTools, loop: "RunLoop", execution: NodeExecution) -> BlockRun:
    """
    Return the run of *execution*'s block.

    Raises:
        BlockError: If there is no such block here, or its inputs cannot be made.
    """
    spec = execution.node.block
    if spec.placeholder:
        raise BlockExecutionError(
            f"{spec.name} is known but not built into this server yet",
            block_name=spec.name,
            block_id=spec.id,
        )
    usage = Usage()
    try:
        desk = ReviewDesk(loop.stored, loop.decisions, execution)
        if loop.decisions is not NONE_YET:
            check_answer(desk, execution)
        own = _own_inputs(desk, loop.stored, execution)
        if execution.node.parts > 1:  # none of what was put together was too large; all may be
            loop.handed_on.require_within(own)
        context = context_for(tools, loop, execution, usage, desk)
        run = placed(
            tools.blocks,
            tools.rooms,
            tools.limits,
            own,
            execution,
            context,
            usage,
            loop.handed_on,
        )
    except (BlockError, DecisionPending):
        raise
    except Exception as exc:  # border: the loading of a plugin
        raise failure_of(spec, exc) from exc
    run.call_price = price_of_call(spec, tools.limits.call_prices)
    if tools.ledger is not None:
        run.price = price_of(spec, own, tools.prices)
    return run


def placed(
    blocks: Blocks,
    rooms: Rooms,
    limits: Limits,
    inputs: Mapping[str, Any],
    execution: NodeExecution,
    context: BlockContext,
    usage: Usage,
    handed_on: HandedOn | None = None,
) -> BlockRun:
    """Return the run of *execution*'s block in its place, with *inputs* as core has prepared them."""
    spec = execution.node.block
    place = place_of(spec, inputs)
    if place is Place.PROCESS:  # its module is imported there, and not here
        away = in_process(rooms.processes, blocks.address(spec.id), inputs, context)
        return BlockRun(None, inputs, execution, context, usage, limits, away, handed_on)
    block = blocks.get(spec.id)
    made = make_inputs(type(block), inputs)
    away_or_not = in_thread(rooms.threads) if place is Place.THREAD else None
    return BlockRun(block, made, execution, context, usage, limits, away_or_not, handed_on)


def _own_inputs(desk: ReviewDesk, stored: StoredRun, execution: NodeExecution) -> dict[str, Any]:
    """An agent node's pins are its sub-graph's inputs; the block itself takes its own defaults."""
    inputs = reviewed_inputs(desk, stored, execution)
    if not execution.node.is_agent:
        return inputs
    return {**execution.node.own, "inputs": inputs}
