"""What one publisher has for one subscriber. Pure bookkeeping: nothing here sends or waits."""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Final

from backend.adapters.bus.envelopes import Kind, entry, envelope

#: Changes that wait for one subscriber, and their bytes; what comes then is lost, and it is told.
_MOST: Final = 2000
_MOST_BYTES: Final = 8 * 1024 * 1024
#: One envelope: large enough that its cost is that of its entries.
_ENTRIES: Final = 200
_ENVELOPE_BYTES: Final = 65_536


class Outbox:
    """
    Entries that wait, in order, and the topics that a subscriber wants.

    Attributes:
        topics: The number of its subscription, by topic.
        until_s: When it counts as gone if nothing is heard of it.
    """

    def __init__(self) -> None:
        self.topics: dict[str, int] = {}
        self.until_s = 0.0
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._lossy: set[str] = set()
        self._number = 0
        self._is_asked = False

    def wants(self, topic: str, number: int) -> None:
        """Note a subscription. One that is new is answered; nothing else comes before the answer."""
        if self.topics.get(topic) != number:
            self.topics[topic] = number
            # Answers are never refused: there are as many as the subscriber has asked for.
            self._put(entry(Kind.MARKER, topic, b"%d" % number))

    def wants_no_more(self, topic: str) -> None:
        """Note the end of a subscription."""
        self.topics.pop(topic, None)
        self._lossy.discard(topic)

    def add(self, topic: str, one: bytes) -> bool:
        """Add an entry on *topic*; False: there is no room, and the subscriber will be told."""
        if len(self._waiting) >= _MOST or self._bytes + len(one) > _MOST_BYTES:
            self._lossy.add(topic)
            return False
        self._put(one)
        return True

    @property
    def waits(self) -> bool:
        """Whether something has not been taken yet."""
        return bool(self._waiting) or bool(self._lossy) or self._is_asked

    def ask(self) -> None:
        """Send an envelope though nothing waits: whoever missed one before sees it by its number."""
        self._is_asked = True

    def take(self, publisher: str) -> bytes | None:
        """Return the next envelope; None when nothing waits."""
        if not self._waiting and self._lossy:
            self._tell(islice(self._lossy.copy(), _ENTRIES))
        if not self._waiting and not self._is_asked:
            return None
        self._is_asked = False
        entries: list[bytes] = []
        size = 0
        while self._waiting and len(entries) < _ENTRIES and size < _ENVELOPE_BYTES:
            entries.append(self._waiting.popleft())
            size += len(entries[-1])
        self._bytes -= size
        self._number += 1
        return envelope(publisher, self._number, entries)

    def _tell(self, topics: Iterable[str]) -> None:
        for topic in topics:
            self._lossy.discard(topic)
            self._put(entry(Kind.LOOK, topic))

    def _put(self, one: bytes) -> None:
        self._waiting.append(one)
        self._bytes += len(one)
