"""Seats in memory, for tests of what works with them."""

from collections.abc import Collection, Sequence

from backend.core.ids import ExecutionId
from backend.ports.seats import Seat, Seated


class SharedSeats:
    """What all executors of a test share."""

    def __init__(self, *, per_graph: int = 25, per_user: int = 0) -> None:
        self.per_graph, self.per_user = per_graph, per_user
        self.taken: dict[ExecutionId, tuple[str, Seat]] = {}
        self.most = 0  #: that were taken at once


class MemorySeats:
    """See backend.ports.seats.Seats."""

    def __init__(self, shared: SharedSeats, me: str) -> None:
        self._all = shared
        self._me = me

    async def exchange(
        self, wanted: Sequence[Seat], *, left: Collection[ExecutionId], gone: Collection[str]
    ) -> Seated:
        taken = self._all.taken
        for run_id, (owner, _) in list(taken.items()):
            if owner in gone or (owner == self._me and run_id in left):
                del taken[run_id]
        found, graphs, users = set(), set(), set()
        for seat in wanted:
            if seat.run_id in taken:
                if taken[seat.run_id][0] == self._me:
                    found.add(seat.run_id)
                continue
            others = [one for _, one in taken.values() if one.user_id == seat.user_id]
            of_graph = sum(one.graph_id == seat.graph_id for one in others)
            if of_graph >= self._all.per_graph:
                graphs.add((seat.user_id, seat.graph_id))
            elif self._all.per_user and len(others) >= self._all.per_user:
                users.add(seat.user_id)
            else:
                taken[seat.run_id] = (self._me, seat)
                found.add(seat.run_id)
        self._all.most = max(self._all.most, len(taken))
        return Seated(frozenset(found), frozenset(graphs), frozenset(users))

    async def owners(self) -> frozenset[str]:
        return frozenset(owner for owner, _ in self._all.taken.values())

    async def hold(self, held: Sequence[Seat]) -> None:
        taken = self._all.taken
        wanted = {seat.run_id for seat in held}
        for run_id, (owner, _) in list(taken.items()):
            if owner == self._me and run_id not in wanted:
                del taken[run_id]
        for seat in held:
            taken.setdefault(seat.run_id, (self._me, seat))

    async def close(self) -> None:
        """There is nothing to close."""
