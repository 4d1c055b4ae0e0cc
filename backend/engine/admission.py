"""So many runs at once of one user, and of one user and graph; the others wait their turn."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from backend.core.ids import ExecutionId, GraphId, UserId
from backend.ports.seats import Key
from backend.ports.storage import StoredRun
from backend.ports.why import AdmissionFacts

#: Runs that are remembered while they wait; more wait in storage, and are found there.
MOST_WAITING: Final = 10_000


class Elsewhere:
    """Who has no more room anywhere, with what other executors have under way; here nobody."""

    def __init__(self) -> None:
        self.full_graphs: set[Key] = set()
        self.full_users: set[UserId] = set()


class Admission:
    """
    Counts runs by user and graph. A run that ends lets the next one in.

    Nested runs are not counted: they belong to their root, and must not wait for it.

    Args:
        per_graph: Runs at once of one user and graph.
        per_user: Runs at once of one user; the slots that are left are for others.
        resting: Says how many of a user's runs only wait for people, and hold no slot.
        elsewhere: Knows who has no more room with what other executors have under way.
    """

    def __init__(
        self,
        per_graph: int,
        per_user: int,
        resting: Callable[[UserId], int] = lambda _: 0,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._elsewhere = elsewhere or Elsewhere()
        self._resting = resting
        self._per_graph = per_graph
        self._per_user = per_user
        self._active: Counter[Key] = Counter()
        self._users: Counter[UserId] = Counter()
        self._waiting: dict[UserId, OrderedDict[GraphId, OrderedDict[ExecutionId, None]]] = {}
        self._count = 0

    def admit(self, stored: StoredRun) -> bool:
        """Say whether *stored* may begin, and count it then; else it waits its turn."""
        user_id, graph_id = key = _key(stored)
        # Who is to be stopped is let in: nothing of it is run.
        if stored.depth or stored.record.stop_us is not None or self.has_room(key):
            if not stored.depth:
                self._active[key] += 1
                self._users[user_id] += 1
            return True
        waiting = self._waiting.setdefault(user_id, OrderedDict()).setdefault(
            graph_id, OrderedDict()
        )
        if stored.record.id not in waiting and self._count < MOST_WAITING:
            waiting[stored.record.id] = None
            self._count += 1
        return False

    def release(self, stored: StoredRun) -> list[ExecutionId]:
        """Note that an admitted run has ended; return those that may be tried again."""
        if stored.depth:
            return []
        self.take_back(stored)
        next_id = self._next(stored.record.user_id)
        return [] if next_id is None else [next_id]

    def take_back(self, stored: StoredRun) -> None:
        """Note that an admitted run does not begin, and nobody else in its place."""
        if stored.depth:
            return
        user_id, _ = key = _key(stored)
        self._active[key] -= 1
        self._users[user_id] -= 1
        if not self._active[key]:
            del self._active[key]
        if not self._users[user_id]:
            del self._users[user_id]

    def put_right(self, active: Iterable[StoredRun]) -> bool:
        """Count *active*, all runs under way, and nobody else; say whether that was wrong."""
        keys = Counter(_key(stored) for stored in active if not stored.depth)
        if keys == self._active:
            return False
        self._active = keys
        self._users = Counter()
        for (user_id, _), count in keys.items():
            self._users[user_id] += count
        return True

    def limits(self, *, slots: int, free: int) -> AdmissionFacts:
        """Return the limits, and who has come to one."""
        return AdmissionFacts(
            slots=slots,
            free=free,
            per_graph=self._per_graph,
            per_user=self._per_user,
            full_graphs=tuple(self.full()),
            full_users=tuple(self.full_users()),
        )

    def is_full(self, user_id: UserId) -> bool:
        """Say whether no more runs of this user may begin now."""
        if user_id in self._elsewhere.full_users:
            return True
        count = self._users[user_id]
        return count >= self._per_user and count - self._resting(user_id) >= self._per_user

    def full(self) -> list[Key]:
        """Return the users and graphs of which no more runs may begin now."""
        here = (key for key, count in self._active.items() if count >= self._per_graph)
        return list({*here, *self._elsewhere.full_graphs})

    def full_users(self) -> list[UserId]:
        """Return the users of whom no more runs may begin now."""
        users = {*self._users, *self._elsewhere.full_users}
        return [user_id for user_id in users if self.is_full(user_id)]

    def has_room(self, key: Key) -> bool:
        """Say whether one more run of a user and graph may begin now."""
        if key in self._elsewhere.full_graphs:
            return False
        return self._active[key] < self._per_graph and not self.is_full(key[0])

    def _next(self, user_id: UserId) -> ExecutionId | None:
        """Take the next of a user's runs that may begin; the user's graphs take turns."""
        graphs = self._waiting.get(user_id, OrderedDict())
        for graph_id in list(graphs):
            if not self.has_room((user_id, graph_id)):
                continue
            waiting = graphs.pop(graph_id)
            run_id, _ = waiting.popitem(last=False)
            self._count -= 1
            if waiting:
                graphs[graph_id] = waiting
            elif not graphs:
                del self._waiting[user_id]
            return run_id
        return None


def _key(stored: StoredRun) -> Key:
    return stored.record.user_id, stored.record.graph_id
