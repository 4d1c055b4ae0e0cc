"""Picks runs up, gives each a loop, and lets go of them. One per data directory (decision 5)."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog

from backend.core.errors import AgentServerError, Unavailable
from backend.core.execution import NodeExecution
from backend.core.ids import ExecutionId, UserId
from backend.core.records import ExecutionRecord
from backend.core.status import Status
from backend.engine import poison
from backend.engine.admission import Admission
from backend.engine.attempts import Attempts
from backend.engine.fleet import Fleet
from backend.engine.holds import HoldWatch
from backend.engine.loading import RunLoader
from backend.engine.nesting import ended
from backend.engine.rest import Rest
from backend.engine.run_loop import RunLoop
from backend.engine.tools import EngineTools
from backend.engine.turns import Turns
from backend.ports.dispatch import Signal, SignalKind, SignalSource
from backend.ports.storage import EngineStorage, StoredRun
from backend.ports.why import AdmissionFacts

log = structlog.get_logger()

SWEEP_S: Final = 1.0
_LOOK_AGAIN_S: Final = 0.05
_LOADED_AT_ONCE: Final = 64


class Worker:
    """See the module. `serve` must run; all methods are called from its event loop."""

    def __init__(
        self,
        storage: EngineStorage,
        signals: SignalSource,
        tools: EngineTools,
        *,
        slots: int,
        fleet: Fleet | None = None,
    ) -> None:
        self._storage = storage
        self._signals = signals
        self._tools = tools
        self._slots = slots
        self._fleet = fleet
        self.active_runs: dict[ExecutionId, RunLoop] = {}
        self._children: set[ExecutionId] = set()
        self._loading: set[ExecutionId] = set()
        self._asked = Turns()
        self._stops: set[ExecutionId] = set()
        self._wake = asyncio.Event()
        self._more = True  # storage may hold runs that nobody told us about
        self._sweeps = True  # … and stops and pauses; `_more` lasts while no slot is free
        self._rest = Rest(self.active_runs)
        limits = tools.limits
        per_user = limits.runs_per_user or max(1, slots * 3 // 4)
        self._admission = Admission(limits.runs_per_graph, per_user, self._resting_of, fleet)
        self._watchers: dict[ExecutionId, Callable[[RunLoop], None]] = {}
        self._holds = HoldWatch(storage, tools, self.active_runs)
        self._full = False
        self._looks_soon = False
        self._held = False
        self._attempts = Attempts()
        self._loader = RunLoader(storage, tools)
        self._trials = poison.Trials(tools.journal)
        self.picked_up = 0

    @property
    def active(self) -> int:
        """How many runs are under way, nested ones included."""
        return len(self.active_runs)

    @property
    def free(self) -> int:
        """How many more runs fit. Nested runs live in their root's slot: they cannot starve it."""
        taken = len(self.active_runs) - len(self._children & self.active_runs.keys())
        if self._rest.children:
            # Where one of these goes on, there are more at work than slots for a while.
            children = self._children
            taken -= self._rest.count(r for i, r in self.active_runs.items() if i not in children)
        return max(0, self._slots - taken - len(self._loading))

    def _resting_of(self, user_id: UserId) -> int:
        """Return how many runs of a user wait for people alone."""
        if not self._rest.children:
            return 0
        return self._rest.count(
            loop
            for run_id, loop in self.active_runs.items()
            if run_id not in self._children and loop.stored.record.user_id == user_id
        )

    def limits(self) -> AdmissionFacts:
        """Return what a run may wait for before it begins."""
        return self._admission.limits(slots=self._slots, free=self.free)

    def is_loading(self, run_id: ExecutionId) -> bool:
        """Say whether a run is being begun."""
        return run_id in self._loading

    def count_again(self) -> bool:
        """Count who is under way anew; say whether the counts were wrong."""
        active = (loop.stored for loop in self.active_runs.values())
        # Of those that are being begun, some are counted and not yet under way.
        if self._loading or not self._admission.put_right(active):
            return False
        self._look_now()
        return True

    async def serve(self) -> None:
        """Pick runs up, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._sweep())
            while True:
                await self._wake.wait()
                self._wake.clear()
                try:
                    await self._pick_up()
                except Unavailable as exc:
                    self._more = self._sweeps = True
                    log.warning("runs_wait_for_storage", error=str(exc))

    async def drain(self, *, limit_s: float) -> None:
        """Start nothing more, let what runs end for *limit_s*, give the rest up to the next."""
        self._held = True
        for loop in self.active_runs.values():
            loop.hold()
        until = self._tools.clock.monotonic_s() + limit_s
        while any(loop.busy for loop in self.active_runs.values()):
            if self._tools.clock.monotonic_s() >= until:
                break
            await asyncio.sleep(0.02)
        await asyncio.gather(*(loop.give_up() for loop in list(self.active_runs.values())))
        await self._tools.journal.flush()

    def look(self) -> None:
        """Look into storage now, not with the next sweep."""
        self._more = self._sweeps = True
        self._wake.set()

    # Hearing of work.

    async def _listen(self) -> None:
        async for signals in self._signals.signals():
            for signal in signals:
                self._heard(signal)
            self._wake.set()

    def _heard(self, signal: Signal) -> None:
        if signal.kind is SignalKind.STOP:
            self._stops.add(signal.run_id)
        elif signal.run_id not in self.active_runs and signal.run_id not in self._loading:
            self._ask(signal.user_id, signal.run_id)

    def _ask(self, user_id: UserId, run_id: ExecutionId) -> None:
        if not self._asked.add(user_id, run_id):
            self._more = True  # it waits in storage

    async def _sweep(self) -> None:
        """A signal may be lost, and a restart forgets them all: storage is the truth."""
        while True:
            self.look()
            await asyncio.sleep(SWEEP_S)

    # Picking up.

    async def _pick_up(self) -> None:
        if self._held:
            return
        if self._stops or self._sweeps:
            await self._look_for_stops()
        if self._sweeps:
            await self._holds.look()
            self._sweeps = False
        if self._fleet is None or self._fleet.may_begin:  # else the next sweep tries again
            await self._pick_up_more()

    async def _pick_up_more(self) -> None:
        # Children whose parents hold slots and wait for them go on whether a slot is free or not.
        resumed = [i for i in self._watchers if i not in self.active_runs]
        if resumed and (self._more or any(i in self._asked for i in resumed)):
            await self._begin_all(resumed, fresh=False)
        if self._fleet is not None and self.free:
            first = self._fleet.interrupted(self.free, self._admission.has_room)
            await self._begin_all(first, fresh=False)
        while self.free:
            count = min(self.free, _LOADED_AT_ONCE)
            if not (ids := self._asked.take(count, is_full=self._admission.is_full)):
                break
            await self._begin_all(ids, fresh=True)
        if self._more and self.free:
            self._more = False
            ids = await self._storage.unfinished(
                limit=(limit := self.free),
                exclude=list(self.active_runs),
                full=self._admission.full(),
                full_users=self._admission.full_users(),
                takeable=None if self._fleet is None else self._fleet.takeable(),
            )
            self._full = len(ids) >= limit  # there may be more: look again when a run has ended
            await self._begin_all(ids, fresh=False)
        self._signals.want(self.free > 0)

    async def _look_for_stops(self) -> None:
        self._stops.clear()
        waiting: list[ExecutionId] = []
        for run_id in await self._storage.stops_asked():
            loop = self.active_runs.get(run_id)
            if loop is None:
                waiting.append(run_id)
            elif loop.execution.stop_as is None:
                loop.stop()
        # What waits for a slot ends without one: nothing of it is run.
        await self._begin_all(waiting, fresh=False)

    async def _begin_all(self, wanted: Sequence[ExecutionId], *, fresh: bool) -> None:
        # A sweep may have begun what a signal asks for, and what ends while it is read again would
        # be begun again.
        if not (ids := [i for i in wanted if not (i in self.active_runs or i in self._loading)]):
            return
        self._loading.update(ids)
        try:
            loaded = await self._storage.load_runs(ids)
            free = [
                stored
                for stored in loaded
                if stored.record.id not in self.active_runs
                and (self._fleet is None or self._fleet.may_take(stored))
                and not self._holds.cover(stored)
            ]
            new = [stored for stored in free if self._admission.admit(stored)]
            if self._fleet is not None:
                new = await self._fleet.seated(new, refused=self._admission.take_back)
                self._fleet.note_interrupted(ids, free, begun=new)
            # Together: what a sweep finds waits for its claim, all of them for one commit.
            for some in ([s for s in new if not s.depth], [s for s in new if s.depth]):
                await asyncio.gather(*(self._begin_admitted(s, fresh=fresh) for s in some))
        finally:
            self._loading.difference_update(ids)

    async def _begin_admitted(self, stored: StoredRun, *, fresh: bool) -> None:
        loop = None
        try:
            loop = await self.begin(stored, fresh=fresh)
        finally:
            if loop is None or loop.stored is not stored:
                self._let_in(stored)  # it did not begin: somebody else takes its place

    def _let_in(self, stored: StoredRun) -> None:
        if self._fleet is not None:
            self._fleet.left(stored)
        for run_id in self._admission.release(stored):
            self._ask(stored.record.user_id, run_id)
            self._wake.set()

    async def begin(self, stored: StoredRun, *, fresh: bool) -> RunLoop | None:
        """
        Take a run over and begin it, or go on with it; return its loop.

        None when it came to its end here after *stored* was read.

        Args:
            fresh: It was just submitted. What a sweep finds may have taken its last executor
                down: its claim is on disk before it is touched again, so that this is counted.
        """
        if not fresh and stored.depth and stored.root_id in self._trials.held:
            return None
        record = stored.record
        restored = await self._loader.restored(stored)
        known = self.active_runs.get(record.id)
        if known is not None:
            return known  # somebody else began it while we were reading
        if self._attempts.newer_than(record):
            return None  # … and it has ended: our own next attempt would look like that one's
        self._attempts.note(record)
        loop = RunLoop(stored, restored.execution, self._tools, attempt=record.attempt + 1)
        loop.decisions = restored.decisions
        if stored.depth:
            self._children.add(record.id)
            loop.watch_outputs(restored.before)
        loop.on_end.append(self._ended)
        self.active_runs[record.id] = loop
        self._rest.children.discard(record.id)
        if (attach := self._watchers.get(record.id)) is not None:
            attach(loop)
        self.picked_up += 1
        start = partial(self._start, loop, restored.interrupted, restored.problem)
        if fresh or stored.depth or restored.problem is not None:
            start()
        else:
            await self._trials.claim(loop, start)
        return loop

    def _start(
        self, loop: RunLoop, interrupted: Sequence[NodeExecution], problem: str | None
    ) -> None:
        if loop.stored.record.stop_us is not None:
            loop.stop()  # before anything of it is run
        try:
            if problem is None:
                loop.begin(interrupted)
        except AgentServerError as exc:
            problem = str(exc)
        except Exception as exc:  # border: the same
            log.exception("run_not_begun", execution=loop.stored.record.id)
            problem = f"internal error: {exc!r}"
        if problem is not None:
            loop.fail(problem)

    def _ended(self, loop: RunLoop) -> None:
        if self.active_runs.get(loop.stored.record.id) is loop:
            del self.active_runs[loop.stored.record.id]
        self._children.discard(loop.stored.record.id)
        poison.let_go_of_nested(loop, self.active_runs)
        if not loop.claimed:
            self._attempts.forget(loop.stored.record.id)
        self._let_in(loop.stored)
        self._signals.want(True)
        self._note_rest(loop.stored.record.id, loop.execution.status)
        self._look_again()

    def _note_rest(self, run_id: ExecutionId, status: Status) -> None:
        if status is Status.REVIEW and run_id in self._watchers:
            self._rest.children.add(run_id)

    def _look_again(self) -> None:
        if self._full and not self._looks_soon:
            # To look costs the more the more runs wait: once for all that end meanwhile.
            self._looks_soon = True
            asyncio.get_running_loop().call_later(_LOOK_AGAIN_S, self._look_now)
        if self._asked or self._more:
            self._wake.set()

    def _look_now(self) -> None:
        self._looks_soon = self._full = False
        self.look()

    # What nested runs need; see engine/nesting.py.

    async def begin_child(self, run_id: ExecutionId, *, to_stop: bool = False) -> RunLoop | None:
        """Return the loop of a child run, begun if it was not; None if it moves no more, or is held."""
        loop = self.active_runs.get(run_id)
        if loop is not None:
            return loop
        loaded = await self._storage.load_runs([run_id])
        if not loaded:
            return None
        if not to_stop and self._holds.cover(loaded[0]):
            self._holds.want(run_id)  # begun with what its parent waits for, later
            return None
        return await self.begin(loaded[0], fresh=True)

    def is_held(self, run_id: ExecutionId) -> bool:
        """Say whether a child run was wanted while an operator has paused it."""
        return self._holds.is_wanted(run_id)

    def watch_child(self, run_id: ExecutionId, attach: Callable[[RunLoop], None] | None) -> None:
        """Call *attach* with each loop of a child, the present one too; with None no more."""
        if attach is None:
            self._watchers.pop(run_id, None)
            self._rest.children.discard(run_id)
            return
        self._watchers[run_id] = attach
        loop = self.active_runs.get(run_id)
        if loop is not None:
            attach(loop)

    async def stop_child(self, run_id: ExecutionId) -> RunLoop | None:
        """Stop a child, one that waits for people too; return its loop; None if it had ended."""
        loop = await self.begin_child(run_id, to_stop=True)
        if loop is not None and loop.rests:
            await ended(loop)
            loop = None  # its row has it now
        if loop is None:
            await self._storage.stop_paused(run_id, now_us=self._tools.clock.now_us())
            loop = await self.begin_child(run_id, to_stop=True)
        if loop is not None and loop.execution.stop_as is None:
            loop.stop()
        return loop

    async def finished_child(
        self, run_id: ExecutionId
    ) -> tuple[ExecutionRecord, list[NodeExecution]] | None:
        """Return a run that has ended, with its node executions."""
        record = await self._storage.finished_run(run_id)
        if record is None:
            return None
        self._note_rest(run_id, record.status)
        self._look_again()
        plan = await self._loader.plan(record)
        return record, await self._storage.load_nodes(run_id, plan.nodes_by_id)
