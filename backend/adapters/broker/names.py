"""The names of everything that an installation has on a broker: `agpt.<installation>.<what>`."""

import re
from dataclasses import dataclass
from typing import Final

#: The broker's limit is 255 bytes for a whole name.
_GOOD: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: The streams of changes: what runs do, and what people are told.
STREAMS: Final = ("events", "notices")


@dataclass(frozen=True, slots=True)
class Names:
    """
    Exchanges and queues of one installation; two of them on one broker never meet.

    Args:
        installation: Up to 64 letters, digits, ``-`` and ``_``.
    """

    installation: str

    def __post_init__(self) -> None:
        assert _GOOD.fullmatch(self.installation), "an id of ours, from the database"

    @property
    def prefix(self) -> str:
        """What all names of the installation begin with."""
        return f"agpt.{self.installation}."

    def _of(self, *what: str) -> str:
        return self.prefix + ".".join(what)

    @property
    def runs(self) -> str:
        """The queue of hints that runs wait; all executors share it."""
        return self._of("runs")

    @property
    def dead(self) -> str:
        """The queue of what nobody could understand."""
        return self._of("runs", "dead")

    @property
    def stops(self) -> str:
        """The exchange of what every executor must hear."""
        return self._of("stops")

    @property
    def settled(self) -> str:
        """The exchange that is there when the broker has been up for a while."""
        return self._of("settled")

    def alive(self, owner: str) -> str:
        """Return the queue that is there as long as the executor *owner* is."""
        return self._of("alive", owner)

    def wishes(self, stream: str) -> str:
        """Return the exchange on which subscribers say what they want."""
        return self._of(stream, "wishes")

    def hello(self, stream: str) -> str:
        """Return the exchange on which a publisher says that it is new."""
        return self._of(stream, "hello")

    def own(self, what: str, unique: str) -> str:
        """Return the queue of one process for *what*."""
        return self._of(what, unique)

    @property
    def exchanges(self) -> tuple[str, ...]:
        """All exchanges."""
        streams = (name for one in STREAMS for name in (self.wishes(one), self.hello(one)))
        return self.stops, self.settled, *streams

    @property
    def queues(self) -> tuple[str, ...]:
        """All queues that outlive who made them."""
        return self.runs, self.dead
