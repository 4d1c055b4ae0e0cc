"""The newest attempts at runs that were begun here: what was read before must not begin one again."""

from collections import OrderedDict
from typing import Final

from backend.core.ids import ExecutionId
from backend.core.records import ExecutionRecord

#: Runs that are remembered.
_MOST: Final = 10_000


class Attempts:
    """See the module; bounded, the oldest is forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[ExecutionId, int] = OrderedDict()

    def newer_than(self, record: ExecutionRecord) -> bool:
        """Say whether an attempt has begun here since *record* was read."""
        return self._known.get(record.id, 0) > record.attempt

    def note(self, record: ExecutionRecord) -> None:
        """Note that the attempt after *record*'s begins."""
        self._known[record.id] = record.attempt + 1
        self._known.move_to_end(record.id)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def forget(self, run_id: ExecutionId) -> None:
        """Forget the attempt of which nothing has reached the disk: the next has its number."""
        self._known.pop(run_id, None)
