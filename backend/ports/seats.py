"""Places for runs, counted over all executors of a cluster: limits hold however many there are.

One executor alone needs none of this: it counts in memory.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from backend.core.ids import ExecutionId, GraphId, UserId

Key: TypeAlias = tuple[UserId, GraphId]


@dataclass(frozen=True, slots=True)
class Seat:
    """A place that one run takes while an executor has it; nested runs take none."""

    run_id: ExecutionId
    user_id: UserId
    graph_id: GraphId


@dataclass(frozen=True, slots=True)
class Seated:
    """
    What came of an exchange.

    Attributes:
        taken: The runs that have a seat now.
        full_graphs, full_users: Who of those that were asked for has no more room anywhere.
    """

    taken: frozenset[ExecutionId] = frozenset()
    full_graphs: frozenset[Key] = field(default_factory=frozenset)
    full_users: frozenset[UserId] = field(default_factory=frozenset)


class Seats(Protocol):
    """
    The seats of one installation, as one executor sees them.

    They are no record of anything: all can be lost, and are taken again.
    """

    async def exchange(
        self, wanted: Sequence[Seat], *, left: Collection[ExecutionId], gone: Collection[str]
    ) -> Seated:
        """
        Leave seats and take others, in one step that no other executor comes between.

        A run has one seat at most: one that another living executor has a seat for is not taken.

        Args:
            wanted: In the order in which they are to be had.
            left: Runs whose seats are given back; none is fine.
            gone: Executors that are gone; their seats are free.

        Raises:
            Unavailable: If the database does not answer.
        """

    async def owners(self) -> frozenset[str]:
        """Return the executors that hold seats."""

    async def hold(self, held: Sequence[Seat]) -> None:
        """Have exactly these seats and no others: what the database has lost is put right."""

    async def close(self) -> None:
        """
        Close the way to them; twice is harmless.

        What is still held stays so until others see that its owner is gone: so they learn at once
        of the runs that it has left.
        """
