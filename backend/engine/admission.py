"""At most so many runs of one user and graph at once; the others wait their turn."""

from collections import Counter, OrderedDict
from typing import Final, TypeAlias

from backend.core.ids import ExecutionId, GraphId, UserId
from backend.ports.storage import StoredRun

Key: TypeAlias = tuple[UserId, GraphId]

#: Runs that are remembered while they wait; more wait in storage, and are found there.
MOST_WAITING: Final = 10_000


class Admission:
    """
    Counts runs by user and graph. A run that ends lets the next one in.

    Nested runs are not counted: they belong to their root, and must not wait for it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._active: Counter[Key] = Counter()
        self._waiting: dict[Key, OrderedDict[ExecutionId, None]] = {}
        self._count = 0

    def admit(self, stored: StoredRun) -> bool:
        """Say whether *stored* may begin, and count it then; else it waits its turn."""
        key = _key(stored)
        # Who is to be stopped is let in: nothing of it is run.
        if stored.depth or stored.record.stop_us is not None or self._active[key] < self._limit:
            self._active[key] += 0 if stored.depth else 1
            return True
        waiting = self._waiting.setdefault(key, OrderedDict())
        if stored.record.id not in waiting and self._count < MOST_WAITING:
            waiting[stored.record.id] = None
            self._count += 1
        return False

    def release(self, stored: StoredRun) -> list[ExecutionId]:
        """Note that an admitted run has ended; return those that may be tried again."""
        if stored.depth:
            return []
        key = _key(stored)
        self._active[key] -= 1
        if not self._active[key]:
            del self._active[key]
        waiting = self._waiting.get(key)
        if not waiting or self._active[key] >= self._limit:
            return []
        next_id, _ = waiting.popitem(last=False)
        self._count -= 1
        if not waiting:
            del self._waiting[key]
        return [next_id]

    def full(self) -> list[Key]:
        """Return the users and graphs of which no more runs may begin now."""
        return [key for key, count in self._active.items() if count >= self._limit]


def _key(stored: StoredRun) -> Key:
    return stored.record.user_id, stored.record.graph_id
