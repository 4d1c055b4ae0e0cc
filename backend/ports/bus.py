"""How committed changes of runs reach those who watch. No replay here: storage has the rows."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.records import ExecutionRecord, NodeRecord


def run_topic(run_id: ExecutionId) -> str:
    """Return the topic of one run: its own changes and those of its nodes."""
    return f"run:{run_id}"


def graph_topic(graph_id: GraphId) -> str:
    """Return the topic of a graph: changes of its runs, not of nodes."""
    return f"graph:{graph_id}"


def user_topic(user_id: UserId) -> str:
    """Return the topic of what one user is told."""
    return f"user:{user_id}"


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
class NodeText:
    """
    A piece of a text that a node's model says. Kept nowhere: who misses it finds all in the output.

    Attributes:
        call: Which call of the model it comes from; a later one begins its text anew.
        offset: How many characters came before it.
    """

    user_id: UserId
    graph_id: GraphId
    run_id: ExecutionId
    node_id: str
    node_exec_id: str
    call: int
    offset: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeTold:
    """A notice came into a user's list; *data* is what sockets are sent of it."""

    user_id: UserId
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Attached:
    """
    Changes committed from now on will arrive on *topic*.

    Arrives once after each subscribe, and again whenever the connection to the publisher was lost
    in between: then changes may have been missed, and storage has them.
    """

    topic: str


#: All that is told.
Change: TypeAlias = RunChanged | NodeChanged | NodeText | NoticeTold | Attached


class EventPublisher(Protocol):
    """The executor's side."""

    def wanted(self, topic: str) -> bool:
        """Say whether anybody listens; costs nothing."""

    def publish(self, topic: str, change: Change) -> None:
        """
        Send *change* to all who listen. Never waits: a listener that is too slow loses it.

        `Attached` tells them that they may have missed something, and that storage has it.
        """

    def tell_all(self) -> None:
        """Send `Attached` to all who listen, on each of their topics."""

    async def serve(self, ready: Callable[[], None]) -> None:
        """Keep track of who listens, until cancelled."""


class EventSubscriber(Protocol):
    """The WebSocket server's side."""

    def subscribe(self, topic: str) -> None:
        """Ask for *topic*; `Attached` tells when it is live. Twice is once."""

    def unsubscribe(self, topic: str) -> None:
        """Ask for *topic* no more."""

    def changes(self) -> AsyncIterator[tuple[str, Change]]:
        """Yield (topic, change) for all topics asked for, in order per run."""

    async def close(self) -> None:
        """Stop; twice is harmless."""
