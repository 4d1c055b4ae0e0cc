"""How committed changes of runs reach those who watch. No replay here: storage has the rows."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from backend.core.ids import ExecutionId, GraphId
from backend.core.records import ExecutionRecord, NodeRecord


def run_topic(run_id: ExecutionId) -> str:
    """Return the topic of one run: its own changes and those of its nodes."""
    return f"run:{run_id}"


def graph_topic(graph_id: GraphId) -> str:
    """Return the topic of a graph: changes of its runs, not of nodes."""
    return f"graph:{graph_id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunChanged:
    """A run's row changed; *record* has its outputs."""

    record: ExecutionRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeChanged:
    """A node execution's row changed; *run* is its run, without outputs."""

    run: ExecutionRecord
    record: NodeRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class Attached:
    """
    Changes committed from now on will arrive on *topic*.

    Arrives once after each subscribe, and again whenever the connection to the publisher was lost
    in between: then changes may have been missed, and storage has them.
    """

    topic: str


class EventPublisher(Protocol):
    """The executor's side."""

    def wanted(self, topic: str) -> bool:
        """Say whether anybody listens; costs nothing."""

    def publish(self, topic: str, change: RunChanged | NodeChanged | Attached) -> None:
        """
        Send *change* to all who listen. Never waits: a listener that is too slow loses it.

        `Attached` tells them that they may have missed something, and that storage has it.
        """

    async def serve(self, ready: Callable[[], None]) -> None:
        """Keep track of who listens, until cancelled."""


class EventSubscriber(Protocol):
    """The WebSocket server's side."""

    def subscribe(self, topic: str) -> None:
        """Ask for *topic*; `Attached` tells when it is live. Twice is once."""

    def unsubscribe(self, topic: str) -> None:
        """Ask for *topic* no more."""

    def changes(self) -> AsyncIterator[tuple[str, RunChanged | NodeChanged | Attached]]:
        """Yield (topic, change) for all topics asked for, in order per run."""

    async def close(self) -> None:
        """Stop; twice is harmless."""
