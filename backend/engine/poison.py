"""A run that takes its executor down each time: it is parked with its cause until somebody retries it.

Parked is TERMINATED, whose step back to QUEUED the table of statuses has: nobody waits for it any
more, and its rows keep what it needs to go on (adapters/storage/parking.py). See decision 9.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from backend.core import alone, chat
from backend.core.errors import StaleAttempt
from backend.core.events import Event, RunBroken, RunParked
from backend.core.execution import Execution
from backend.core.ids import ExecutionId
from backend.core.status import Status
from backend.engine.journal import Journal
from backend.engine.run_loop import RunLoop

#: A run that stopped its executor this often at the same point is not tried again: it would take
#: the whole server down each time.
MOST_STALLS: Final = 6
#: From so many on, it is looked whether the executor lives without it, and then with it: in a storm
#: that kills whoever comes up, nobody is to blame.
SUSPECT: Final = 3
CONTROL_S: Final = 10.0
#: Who lives so long after it was begun is not what takes the executor down.
_TRIAL_S: Final = 5.0
_LOOK_S: Final = 0.1
_NAMED: Final = 3
#: Somebody waits for these, and asks anew.
_NEVER_PARKED: Final = frozenset({chat.TRIGGER, alone.TRIGGER})


class Trials:
    """
    Begins runs that were taken up again, and counts how often that came to nothing.

    A suspect begins when the executor has lived for a while without it, and one at a time. Meanwhile
    its count on disk is 0: where the executor is lost all the same, it was not this run.

    Attributes:
        held: Roots that do not begin yet; nothing nested in them begins either.
    """

    def __init__(self, journal: Journal) -> None:
        self.held: set[ExecutionId] = set()
        self._journal = journal
        self._on_trial: RunLoop | None = None
        self._revision = 0
        self._until_s = 0.0

    async def claim(self, loop: RunLoop, start: Callable[[], None]) -> None:
        """Put the attempt on disk, and *start* the run: at once, later, or never, if it is parked."""
        stalls = loop.stored.stalls
        is_over = stalls >= MOST_STALLS
        refusal = self._journal.refusals.get(loop.execution.id, "")
        is_suspect = stalls >= SUSPECT and not is_over and not refusal
        waits = is_suspect and loop.stored.record.stop_us is None
        loop.blame = 0 if waits else stalls
        if waits:
            self.held.add(loop.execution.id)
        try:
            await self._journal.saved(loop)
        except StaleAttempt:
            self.held.discard(loop.execution.id)
            return  # the loop has been told
        if waits:
            loop.hold()
            _later(CONTROL_S, self._try, loop, start)
        elif is_over and loop.stored.record.stop_us is None:
            loop.happened(_end_of(loop, refusal))
        else:
            start()
            if stalls:
                _later(_TRIAL_S, self._note_life, loop)

    def _try(self, loop: RunLoop, start: Callable[[], None]) -> None:
        if loop.over or loop.execution.stop_as is not None:
            self.held.discard(loop.execution.id)
            return
        if not self._is_over():
            _later(_LOOK_S, self._try, loop, start)
            return
        self._on_trial, self._until_s = loop, _now_s() + _TRIAL_S
        loop.blame = loop.stored.stalls
        loop.execution.changed = True
        saved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        saved.add_done_callback(lambda done: self._begin(loop, start, done))
        loop.waiters.append(saved)
        self._journal.mark(loop)

    def _begin(self, loop: RunLoop, start: Callable[[], None], saved: asyncio.Future[None]) -> None:
        self.held.discard(loop.execution.id)
        if saved.cancelled() or saved.exception() is not None or loop.over:
            return
        self._revision = loop.execution.revision
        loop.go_on()
        start()
        _later(_TRIAL_S, self._note_life, loop)

    def _is_over(self) -> bool:
        loop = self._on_trial
        if loop is None or loop.over or _now_s() >= self._until_s:
            return True
        return bool(self._revision) and loop.execution.revision > self._revision

    @staticmethod
    def _note_life(loop: RunLoop) -> None:
        if not loop.over and loop.execution.status is Status.RUNNING:
            loop.note_life()


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _later(after_s: float, call: Callable[..., None], *arguments: object) -> None:
    asyncio.get_running_loop().call_later(after_s, call, *arguments)


def _end_of(loop: RunLoop, refusal: str) -> Event:
    """Return what ends a run that is not to go on. *refusal*: its rows were, and no executor lost."""
    stored = loop.stored
    if refusal:
        reason = f"it could not be saved {stored.stalls} times at the same point of this run"
        return RunBroken(error=f"{reason}: {refusal}", at_us=loop.now())
    reason = f"the executor was lost {stored.stalls} times at the same point of this run"
    reason += _at_work(loop.execution)
    if stored.trigger in _NEVER_PARKED:
        return RunBroken(error=reason, at_us=loop.now())
    reason = f"parked: {reason}; it goes on from there when somebody retries it"
    return RunParked(error=reason, at_us=loop.now())


def let_go_of_nested(parked: RunLoop, active: Mapping[ExecutionId, RunLoop]) -> None:
    """Let go of what is under way below a run that was parked: its rows were, with it."""
    if parked.execution.parked is None:
        return
    for loop in list(active.values()):
        if loop is not parked and loop.stored.root_id == parked.stored.record.id:
            loop.refused()


def _at_work(execution: Execution) -> str:
    titles = [one.node.title for one in execution.running.values()]
    if not titles:
        return ""
    more = f" and {len(titles) - _NAMED} more" if len(titles) > _NAMED else ""
    return f", with {', '.join(titles[:_NAMED])}{more} at work"
