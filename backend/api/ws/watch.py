"""What one socket watches: how far it was told, and what storage knows beyond that."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing
from enum import Enum
from typing import TYPE_CHECKING, Final

from backend.api.ws.frames import Frame, node_frame, run_frame
from backend.api.ws.messages import graph_channel, run_channel
from backend.core.ids import ExecutionId, GraphId
from backend.core.records import ExecutionRecord, NodeRecord
from backend.ports.bus import graph_topic, run_topic
from backend.ports.storage import UserStorage

if TYPE_CHECKING:
    from backend.api.ws.client import Client

#: Rows that are read at once. Each may be large, and a slow client takes long to get them.
_PAGE: Final = 50
#: Of a graph with more runs, only the newest are told again after a loss.
_RUNS: Final = 100
#: Live frames that are kept while storage is being read; with more it is read again.
_MEANWHILE: Final = 100
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

    def __init__(self, client: "Client", storage: UserStorage, *, channel: str, topic: str) -> None:
        self.client = client
        self.channel = channel
        self.topic = topic
        self.state = WatchState.NEW
        self._ended = False
        self._missed = False
        self._meanwhile: list[Frame] = []
        self._storage = storage
        self._limit_bytes = client.limits.event_bytes

    def end(self) -> None:
        """Tell nothing more."""
        self._ended = True

    def has_ended(self) -> bool:
        """Say whether the client does not want it any more."""
        return self._ended

    def begin_reading(self) -> None:
        """Note that storage is being read from now on."""
        self.state = WatchState.READING
        self._missed = False
        self._meanwhile = []

    def miss(self, frame: Frame | None = None) -> None:
        """Keep what happened while storage is being read; None stands for nobody knows what."""
        if frame is None or len(self._meanwhile) >= _MEANWHILE:
            self._missed = True
        else:
            self._meanwhile.append(frame)

    def end_reading(self) -> list[Frame] | None:
        """Go live, and return what happened meanwhile; None if storage must be read again."""
        self.state = WatchState.LIVE
        meanwhile, self._meanwhile = self._meanwhile, []
        return None if self._missed else meanwhile

    @abstractmethod
    def is_news(self, run_id: ExecutionId, sequence: int) -> bool:
        """Say whether a change of that number was not told yet."""

    @abstractmethod
    def note(self, run_id: ExecutionId, sequence: int) -> None:
        """Remember that all changes of the run up to this number were told."""

    @abstractmethod
    def news(self) -> AsyncGenerator[Frame, None]:
        """
        Yield what storage has beyond what was told, one page, in order.

        The caller notes each frame before it asks for the next. When there may be more, it is
        noted as missed.
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

    async def news(self) -> AsyncGenerator[Frame, None]:
        """See `Watch`."""
        run = await self._storage.execution(self._run_id)
        if run is None or run.revision <= self.sequence:
            return
        nodes = await self._changed_nodes()
        for node in nodes:
            yield self._node_frame(run, node)
        if len(nodes) == _PAGE:
            self.miss()
            return
        async with aclosing(self._rest()) as rest:
            async for frame in rest:
                yield frame

    async def _rest(self) -> AsyncGenerator[Frame, None]:
        """Yield the run's frame among those of the last nodes."""
        # The run's number is higher than those of all nodes that were committed with it. So it is
        # read before the last of them: none that belongs before it can be left behind it.
        run = await self._storage.execution(self._run_id, with_outputs=True)
        if run is None or run.revision <= self.sequence:
            return
        nodes = await self._changed_nodes()
        before = [node for node in nodes if node.revision < run.revision]
        for node in before:
            yield self._node_frame(run, node)
        if len(before) < _PAGE:
            yield run_frame(run, self.channel, limit_bytes=self._limit_bytes)
        for node in nodes[len(before) :]:
            yield self._node_frame(run, node)
        if len(nodes) == _PAGE:
            self.miss()

    async def _changed_nodes(self) -> list[NodeRecord]:
        # -1 is before every number; 0 would ask for the newest rows.
        return await self._storage.node_executions(
            self._run_id, limit=_PAGE, after_revision=self.sequence or -1
        )

    def _node_frame(self, run: ExecutionRecord, node: NodeRecord) -> Frame:
        return node_frame(run, node, self.channel, limit_bytes=self._limit_bytes)


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

    async def news(self) -> AsyncGenerator[Frame, None]:
        """See `Watch`."""
        for changed in reversed(await self._newest()):
            if not self.is_news(changed.id, changed.revision):
                continue
            run = await self._storage.execution(changed.id, with_outputs=True)
            if run is not None and self.is_news(run.id, run.revision):
                yield run_frame(run, self.channel, limit_bytes=self._limit_bytes)

    async def _newest(self) -> list[ExecutionRecord]:
        return await self._storage.newest_executions(self._graph_id, limit=_RUNS)
