"""This executor among others: which runs it may take, and which places are left for them.

A run belongs to the executor that its row names, while that one lives; a run that waits, to
whoever takes a seat for it. Who takes a run over raises its attempt, so that a wrong belief about
who lives costs work done twice in memory, and nothing that is on disk.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, Protocol

import structlog

from backend.core.errors import Unavailable
from backend.core.ids import ExecutionId
from backend.core.status import Status
from backend.engine.admission import Elsewhere
from backend.ports.peers import Peers
from backend.ports.seats import Key, Seat, Seats
from backend.ports.storage import StoredRun

log = structlog.get_logger()

LOOK_S: Final = 1.0
#: Who comes back is believed to live after so long: all others have looked twice.
_BELIEVED_S: Final = 2.5 * LOOK_S
#: Each so many looks all is read, and the seats are put right.
_ALL_EACH: Final = 5
#: For so many looks what the gone have open is ended. Who is frozen can still be given locks that it
#: waited for, for some seconds; after that nothing of it moves until it is back.
_FREED_LOOKS: Final = 60


class FleetStorage(Protocol):
    """What is asked of storage."""

    async def owners(self) -> frozenset[str]:
        """Return the executors that unfinished runs belong to."""

    async def settle_dead_calls(self, owners: frozenset[str] | None = None) -> int:
        """See backend.ports.node_steps.NodeSteps."""

    async def free_rows(self, owners: frozenset[str]) -> int:
        """See backend.ports.node_steps.NodeSteps."""


class Fleet(Elsewhere):
    """
    See the module. `serve` must run; all else is called from its event loop.

    Attributes:
        me: The id of this executor, new with each process.
        gone: Executors that were gone at the last look.
        taken_over: How many executors have gone in this one's time.
        on_loss: Called when some have, before anything of theirs is begun here.
    """

    def __init__(self, me: str, *, storage: FleetStorage, peers: Peers, seats: Seats) -> None:
        super().__init__()
        self.me = me
        self.peers = peers
        self._storage = storage
        self._seats = seats
        # One thing with the seats at a time: who puts them right while an exchange is under way takes
        # those away that it has taken and not yet heard of.
        self._seating = asyncio.Lock()
        self._held: dict[str, Seat] = {}
        self._interrupted: dict[ExecutionId, Key] = {}
        self._left: list[Seat] = []
        self._looks = 0
        self._row_owners: frozenset[str] = frozenset()
        self.gone: frozenset[str] = frozenset()
        self._settled: frozenset[str] = frozenset()
        self._missed: dict[str, int] = {}  #: those that are gone: for how many looks
        self.taken_over = 0
        self.on_loss: Callable[[], None] = lambda: None

    # Who may take what.

    @property
    def may_begin(self) -> bool:
        """
        Whether anything may be begun here.

        Others that could not see this one for a while take what it begins for a dead one's, until
        they have looked again.
        """
        return self.peers.shown_s() > _BELIEVED_S

    def takeable(self) -> tuple[str, ...]:
        """Return the executors whose runs may be begun here, this one first."""
        return (self.me, *sorted(self.gone))

    def may_take(self, stored: StoredRun) -> bool:
        """Say whether a run may be begun here; a nested one goes where its root is."""
        if stored.depth and stored.root_owner is not None and stored.root_owner != self.me:
            # Free is what is nested only when its root is taken: else one takes the root and
            # another, who has read before that, takes from him what is nested in it.
            return not stored.root_is_open and self._is_free(stored.root_owner, stored.owner)
        if stored.depth or self._is_free(stored.owner):
            return True
        return stored.record.status is Status.QUEUED

    def _is_free(self, *owners: str | None) -> bool:
        """Say whether what these had is nobody else's."""
        return all(one is None or one == self.me or one in self.gone for one in owners)

    # Seats.

    async def seated(
        self, runs: Sequence[StoredRun], *, refused: Callable[[StoredRun], None]
    ) -> list[StoredRun]:
        """
        Return those of *runs* that may begin now.

        Args:
            refused: Called with each of the others, also after an error.

        Raises:
            Unavailable: If the database does not answer; then none has a seat.
        """
        # Who is to be stopped is let in: nothing of it is run.
        wanted = [_seat(run) for run in runs if not run.depth and run.record.stop_us is None]
        seated: list[StoredRun] = []
        try:
            if wanted:
                await self._exchange(wanted)
            for run in runs:
                needs_none = run.depth or run.record.stop_us is not None
                if needs_none or run.record.id in self._held:
                    seated.append(run)
            return seated
        finally:
            having = {run.record.id for run in seated}
            for run in runs:
                if run.record.id not in having:
                    refused(run)

    def interrupted(self, limit: int, has_room: Callable[[Key], bool]) -> list[ExecutionId]:
        """
        Return runs that were under way at executors that are gone, and may have room now.

        They go before all that has not begun: else whoever has many runs that wait, and no room
        for more, waits for these until none is left that waits.
        """
        ids = (run_id for run_id, key in self._interrupted.items() if has_room(key))
        return list(islice(ids, limit))

    def note_interrupted(
        self,
        looked_at: Iterable[ExecutionId],
        free: Iterable[StoredRun],
        *,
        begun: Iterable[StoredRun],
    ) -> None:
        """Note those of *looked_at* that are *free*, were begun by the gone, and not by us now."""
        for run_id in looked_at:
            self._interrupted.pop(run_id, None)
        here = {run.record.id for run in begun}
        for run in free:
            if run.owner in self.gone and not run.depth and run.record.id not in here:
                self._interrupted[run.record.id] = (run.record.user_id, run.record.graph_id)

    def left(self, stored: StoredRun) -> None:
        """Note that a run is not here any more; its seat is given back with the next exchange."""
        seat = self._held.pop(stored.record.id, None)
        if seat is not None:
            self._left.append(seat)
            self.full_graphs.discard((seat.user_id, seat.graph_id))
            self.full_users.discard(seat.user_id)

    async def _exchange(self, wanted: Sequence[Seat]) -> None:
        async with self._seating:
            left, self._left = self._left, []
            try:
                seated = await self._seats.exchange(
                    wanted, left=[seat.run_id for seat in left], gone=self.gone
                )
            except Unavailable:
                self._left = [*left, *self._left]
                raise
            self._held.update((seat.run_id, seat) for seat in wanted if seat.run_id in seated.taken)
        self.full_graphs.update(seated.full_graphs)
        self.full_users.update(seated.full_users)

    # Who lives.

    async def serve(self, ready: Callable[[], None], changed: Callable[[], None]) -> None:
        """
        Show that this one lives, and look after the others, until cancelled.

        Args:
            ready: Called when the others can see this one: before, nothing may be begun.
            changed: Called when runs may be taken that might not before.
        """
        seen = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.peers.serve(seen.set))
            await seen.wait()
            has_looked = False
            while True:
                # Who has not looked yet does not know whose runs it may not take.
                if await self._try_to_look(changed) and not has_looked:
                    has_looked = True
                    log.info("executor_joined", executor=self.me)
                    ready()
                await asyncio.sleep(LOOK_S)

    async def _try_to_look(self, changed: Callable[[], None]) -> bool:
        try:
            await self.look(changed)
        except Unavailable as exc:
            log.warning("fleet_waits_for_storage", error=str(exc))
            return False
        return True

    async def close(self) -> None:
        """Close the way to the seats; the peers see the rest when the process ends."""
        await self._seats.close()

    async def look(self, changed: Callable[[], None]) -> None:
        """Look once."""
        if self._looks % _ALL_EACH == 0:
            # Seats show who has runs under way. Rows show the rest: what was paused there, and what
            # a server that lost its power had seats for. To read them costs more.
            self._row_owners = await self._storage.owners()
        self._looks += 1
        known = (self._row_owners | await self._seats.owners()) - {self.me}
        # All anew, each time: who was frozen, or cut off, may be back.
        gone = await self.peers.gone(known) if known else frozenset()
        await self._free_rows(gone)
        self._settled &= gone
        if news := gone - self._settled:
            # First what their calls may have taken: a call that is made again is counted again.
            settled = await self._storage.settle_dead_calls(news)
            log.warning("executors_are_gone", owners=sorted(news), dead_calls=settled)
            self._settled |= news
            self.taken_over += len(news)
            self.on_loss()
        self.gone = gone
        if not gone:
            self._interrupted.clear()  # who was believed gone is back, or all of theirs has ended
        self.full_graphs.clear()
        self.full_users.clear()
        if self._left:
            await self._exchange(())
        if self._looks % _ALL_EACH == 0:
            async with self._seating:
                await self._seats.hold(list(self._held.values()))
        changed()

    async def _free_rows(self, gone: frozenset[str]) -> None:
        self._missed = {owner: self._missed.get(owner, 0) + 1 for owner in gone}
        fresh = frozenset(one for one, looks in self._missed.items() if looks <= _FREED_LOOKS)
        if fresh and (freed := await self._storage.free_rows(fresh)):
            log.warning("rows_of_gone_executors_freed", owners=sorted(fresh), sessions=freed)


def _seat(stored: StoredRun) -> Seat:
    record = stored.record
    return Seat(record.id, record.user_id, record.graph_id)
