"""Worker processes: code of blocks that computes long, or may crash, run away from the engine."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.core.json import Json

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class ProcessLimits:
    """How much worker processes may take. Each names the setting that moves it when it bites."""

    count: int = 1  #: at once
    time_s: float = 600.0  #: of one call; 0: any
    memory_bytes: int = 1024 * _MEGABYTE  #: of one process; 0: any
    value_bytes: int = 16 * _MEGABYTE  #: of one value on its way in or out


@dataclass(frozen=True, kw_only=True)
class BlockCall:
    """
    One execution of a block.

    Attributes:
        block: ``module:Class``.
        inputs: By pin, as core has converted and checked them.
        facts: What the block's context says, as far as it is JSON; by the context's own names.
        now_us: The time at the call, since the epoch.
        started_us: When the node execution began, which may have been an attempt ago.
    """

    block: str
    inputs: Mapping[str, Json]
    facts: Mapping[str, Json]
    now_us: int
    started_us: int


class Processes(Protocol):
    """
    Runs code of blocks in worker processes, which are there only while they are used.

    Who stops waiting ends the process that works for him. What is raised:

    - BadRequest with its words, for a ValueError or an error of ours that the code raised;
    - ProcessFailed, for anything else that it raised, SystemExit included;
    - ProcessEnded, if its process ended, or was ended at a limit; says how, or which;
    - TooLarge, if a value on its way is over the limit;
    - NotJson, if a value has no JSON form;
    - Unavailable, if there can be no process.
    """

    def outputs(
        self, call: BlockCall, *, spent: Callable[[float], None]
    ) -> AsyncGenerator[tuple[str, Json], None]:
        """
        Yield what a block yields, one by one: it waits while nobody takes them.

        Args:
            call: Which block, with what.
            spent: Called once, with the processor's seconds, when the block has ended by itself.
        """

    async def call(self, function: str, arguments: Sequence[Json]) -> Json:
        """Return what the function ``module:name`` returns."""

    async def close(self) -> None:
        """End all of them and wait for that. Twice is harmless."""
