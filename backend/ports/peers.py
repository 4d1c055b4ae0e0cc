"""Which executors live. Who takes over a run must know for certain that its owner does not."""

from collections.abc import Callable, Collection
from typing import Protocol


class Peers(Protocol):
    """What one executor knows of the others, and how they know of it."""

    async def gone(self, owners: Collection[str]) -> frozenset[str]:
        """
        Return those of *owners* that are gone for certain; never this executor itself.

        Who is not among them may live or not: what cannot be known now is left out. Takes about
        half a second when somebody seems to be gone, at most some seconds; never raises.

        Args:
            owners: Ids of executors. One that never was counts as gone.
        """

    def shown_s(self) -> float:
        """
        Return for how many seconds, without a break, the others have been able to see this one.

        0: they cannot now. Infinite: they always could, so that nobody can have missed it.
        """

    async def serve(self, ready: Callable[[], None]) -> None:
        """
        Hold this executor's own sign of life, until cancelled.

        Args:
            ready: Called once, when others can see it. Nobody owns a run before.
        """
