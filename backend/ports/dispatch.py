"""How the executor hears that there is something to do. Ids only; the rows are the truth.

A signal may be lost: the executor also looks into storage at boot and every second.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from backend.core.ids import ExecutionId, UserId

#: Stands for a user who is not named.
NOBODY: Final = UserId("")


class SignalKind(StrEnum):
    """What the executor is told."""

    RUN = "run"  #: a new run waits
    STOP = "stop"  #: somebody asked this run to stop


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing to look at."""

    kind: SignalKind
    run_id: ExecutionId
    user_id: UserId = NOBODY  #: whose it is, where the side that asks said so


class Dispatcher(Protocol):
    """The side that asks."""

    def signal(self, kind: SignalKind, run_id: ExecutionId, user_id: UserId = NOBODY) -> None:
        """
        Wake the executor up. Never waits, never raises; may be lost.

        Args:
            user_id: Whose run it is: users take turns.
        """

    async def close(self) -> None:
        """Stop; twice is harmless."""


class SignalSource(Protocol):
    """The executor's side."""

    def signals(self) -> AsyncIterator[list[Signal]]:
        """
        Yield what has arrived, in batches, never empty.

        A batch counts as taken when the next one is asked for. The same may arrive again.
        """

    def want(self, runs: bool) -> None:  # noqa: FBT001 -- a switch, and nothing but one
        """
        Say whether more runs are wanted here. Where not, others get them; stops arrive always.

        Wanted at first. What is on its way may still arrive. Never waits; also before `signals`.
        """

    async def close(self) -> None:
        """Stop; twice is harmless."""
