"""What one socket watches: how far it was told, and what storage knows beyond that."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from enum import Enum
from typing import TYPE_CHECKING, Final

from backend.api.ws.frames import Frame, node_frame, run_frame
from backend.api.ws.messages import graph_channel, run_channel
from backend.core.ids import ExecutionId, GraphId
from backend.core.records import ExecutionRecord
from backend.ports.bus import graph_topic, run_topic
from backend.ports.storage import UserStorage

if TYPE_CHECKING:
    from backend.api.ws.client import Client

#: Rows that are read at once. Each may be large, and a slow client takes long to get them.
_PAGE: Final = 50
#: Of a graph with more runs, only the newest are told again after a loss.
_RUNS: Final = 100
_REMEMBERED: Final = 4 * _RUNS


class WatchState(Enum):
    """How changes reach the client."""

    NEW = "new"  #: not at all: its subscription is not answered yet
    STALE = "stale"  #: they wait in storage for their turn
    READING = "reading"  #: they are being read from storage
    LIVE = "live"  #: as they happen


class Watch(ABC):
    """
    One subscription of one socket.

    A change is told if its number is higher than the last one told: then it does not matter
    whether it came from storage or live, and nothing is told twice.
    """

    def __init__(
        self, client: "Client", storage: UserStorage, *, channel: str, topic: str
    ) -> None:
        self.client = client
        self.channel = channel
        self.topic = topic
        self.state = WatchState.NEW
        self.missed = False  #: something changed while storage was being read
        self.ended = False
        self._storage = storage
        self._limit_bytes = client.limits.event_bytes

    @abstractmethod
    def is_news(self, run_id: ExecutionId, sequence: int) -> bool:
        """Say whether a change of that number was not told yet."""

    @abstractmethod
    def note(self, run_id: ExecutionId, sequence: int) -> None:
        """Remember that all changes of the run up to this number were told."""

    @abstractmethod
    def news(self) -> AsyncIterator[Frame]:
        """
        Yield what storage has beyond what was told, one page, in order.

        The caller notes each frame before it asks for the next. When there may be more, *missed*
        is set.
        """


class RunWatch(Watch):
    """One run and its node executions."""

    def __init__(
        self, client: "Client", storage: UserStorage, run_id: ExecutionId, sequence: int
    ) -> None:
        super().__init__(
            client,
            storage,
            channel=run_channel(storage.user_id, run_id),
            topic=run_topic(run_id),
        )
        self._run_id = run_id
        self.sequence = sequence

    def is_news(self, run_id: ExecutionId, sequence: int) -> bool:  # noqa: ARG002 -- there is one
        """See `Watch`."""
        return sequence > self.sequence

    def note(self, run_id: ExecutionId, sequence: int) -> None:  # noqa: ARG002 -- there is one
        """See `Watch`."""
        self.sequence = max(self.sequence, sequence)

    async def news(self) -> AsyncIterator[Frame]:
        """See `Watch`."""
        run = await self._storage.execution(self._run_id)
        if run is None or run.revision <= self.sequence:
            return
        nodes = 0
        async for frame in self._node_frames(run):
            nodes += 1
            yield frame
        if nodes == _PAGE:
            self.missed = True
            return
        # Its number is higher than those of all nodes that were committed with it. So it is read
        # before the last of them, or some would be left behind it.
        last = await self._storage.execution(self._run_id, with_outputs=True)
        if last is None or last.revision <= self.sequence:
            return
        behind: Frame | None = run_frame(last, self.channel, limit_bytes=self._limit_bytes)
        nodes = 0
        async for frame in self._node_frames(last):
            nodes += 1
            if behind is not None and frame.sequence > last.revision:
                yield behind
                behind = None
            yield frame
        if nodes == _PAGE:
            self.missed = True
        elif behind is not None:
            yield behind

    async def _node_frames(self, run: ExecutionRecord) -> AsyncIterator[Frame]:
        # -1 is before every number; 0 would ask for the newest rows.
        for node in await self._storage.node_executions(
            self._run_id, limit=_PAGE, after_revision=self.sequence or -1
        ):
            yield node_frame(run, node, self.channel, limit_bytes=self._limit_bytes)


class GraphWatch(Watch):
    """The runs of one graph, without their nodes. Each run has numbers of its own."""

    def __init__(self, client: "Client", storage: UserStorage, graph_id: GraphId) -> None:
        super().__init__(
            client,
            storage,
            channel=graph_channel(storage.user_id, graph_id),
            topic=graph_topic(graph_id),
        )
        self._graph_id = graph_id
        self._told: dict[ExecutionId, int] = {}

    async def begin(self) -> None:
        """Take what is there now as told."""
        for run in reversed(await self._newest()):
            self.note(run.id, run.revision)

    def is_news(self, run_id: ExecutionId, sequence: int) -> bool:
        """See `Watch`."""
        return sequence > self._told.get(run_id, 0)

    def note(self, run_id: ExecutionId, sequence: int) -> None:
        """See `Watch`."""
        self._told[run_id] = sequence
        if len(self._told) > _REMEMBERED:
            self._told.pop(next(iter(self._told)))

    async def news(self) -> AsyncIterator[Frame]:
        """See `Watch`."""
        for changed in reversed(await self._newest()):
            if not self.is_news(changed.id, changed.revision):
                continue
            run = await self._storage.execution(changed.id, with_outputs=True)
            if run is not None and self.is_news(run.id, run.revision):
                yield run_frame(run, self.channel, limit_bytes=self._limit_bytes)

    async def _newest(self) -> list[ExecutionRecord]:
        runs, _ = await self._storage.executions_page(self._graph_id, page=1, page_size=_RUNS)
        return runs
