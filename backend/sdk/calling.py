"""Bases of blocks that call a service and hand on what it says.

Beside `backend.sdk`, because other blocks need none.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, ClassVar

from backend.core.block import Effect, EffectRule
from backend.sdk.block import Block
from backend.sdk.context import BlockContext
from backend.sdk.services import Service, ServiceCalls


class Reads:
    """What only looks."""

    effect: ClassVar[Effect | EffectRule | None] = Effect.READ
    retries: ClassVar[int] = 2


class Sets:
    """What does the same twice as once."""

    effect: ClassVar[Effect | EffectRule | None] = Effect.IDEMPOTENT
    retries: ClassVar[int] = 2


class Makes:
    """What makes something: done twice there would be two."""

    effect: ClassVar[Effect | EffectRule | None] = Effect.AT_MOST_ONCE
    retries: ClassVar[int] = 0


class CallingBase(Block):
    """
    A block of one service, which lets in with its pin ``credentials``.

    ``work(self, calls: ServiceCalls, inputs: Input)`` returns the outputs by pin, in their order.
    """

    service: ClassVar[Service]
    work: Callable[..., Any]

    async def run(self, inputs: Any, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Do its work, and yield what came of it."""
        outputs: Mapping[str, Any] = await self.work(self._calls(inputs, context), inputs)
        for output in outputs.items():
            yield output

    def _calls(self, inputs: Any, context: BlockContext) -> ServiceCalls:
        return self.service.calls(context, inputs.credentials)


class ListingBase(CallingBase):
    """
    A block that lists things; its `work` returns them.

    Attributes:
        each: The pin of one of them.
        every: The pin of all, which comes first.
        also: Inputs that are outputs too, under the same names.
    """

    each: ClassVar[str]
    every: ClassVar[str]
    also: ClassVar[Sequence[str]] = ()

    async def run(self, inputs: Any, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield all of them, then each."""
        found: Sequence[Any] = await self.work(self._calls(inputs, context), inputs)
        yield self.every, list(found)
        for one in found:
            yield self.each, one
        for name in self.also:
            yield name, getattr(inputs, name)
