"""Runs that wait for a slot. Users take turns; of one user's runs the oldest goes first."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from backend.core.ids import ExecutionId, UserId

#: Ids that are remembered, of one user and in all; more wait in storage, and are found there.
MOST_OF_ONE: Final = 1_000
MOST: Final = 20_000


class Turns:
    """
    Ids by user. A user with ten thousand runs delays nobody who has one.

    A user that is not known (signals may come without) counts as one more.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[UserId, OrderedDict[ExecutionId, None]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, run_id: ExecutionId) -> bool:
        return any(run_id in ids for ids in self._waiting.values())

    def add(self, user_id: UserId, run_id: ExecutionId) -> bool:
        """Let *run_id* wait; False when there is no room, and it must be found in storage."""
        waiting = self._waiting.get(user_id)
        if waiting is None:
            if self._count >= MOST:
                return False
            waiting = self._waiting[user_id] = OrderedDict()
        elif run_id in waiting:
            return True
        elif self._count >= MOST or len(waiting) >= MOST_OF_ONE:
            return False
        waiting[run_id] = None
        self._count += 1
        return True

    def take(self, count: int, *, is_full: Callable[[UserId], bool]) -> list[ExecutionId]:
        """Return the next *count* ids, fewer if there are fewer, without those of full users."""
        taken: list[ExecutionId] = []
        full = {user_id for user_id in self._waiting if is_full(user_id)}
        while len(taken) < count and len(full) < len(self._waiting):
            user_id, waiting = self._waiting.popitem(last=False)
            if user_id not in full:
                taken.append(waiting.popitem(last=False)[0])
                self._count -= 1
            if waiting:
                self._waiting[user_id] = waiting  # at the end: the others are next
        return taken
