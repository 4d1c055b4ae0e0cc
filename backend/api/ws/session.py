"""What is done with a client's frames. Every one gets its answer, and none ends the socket."""

from typing import assert_never

import structlog

from backend.api.ws.client import Client
from backend.api.ws.hub import Hub
from backend.api.ws.messages import (
    BAD_DATA,
    NO_DATA,
    NOT_FOR_US,
    PONG,
    BadFrame,
    WSMessage,
    WSMethod,
    error_frame,
    graph_channel,
    read_frame,
    read_graph_request,
    read_run_request,
    run_channel,
    success_frame,
)
from backend.api.ws.watch import GraphWatch, RunWatch, Watch
from backend.core.errors import AgentServerError, NotFound
from backend.core.ids import ExecutionId, GraphId
from backend.ports.storage import UserStorage

log = structlog.get_logger(__name__)


class Session:
    """Answers the frames of one client."""

    def __init__(self, hub: Hub, client: Client, storage: UserStorage) -> None:
        self._hub = hub
        self._client = client
        self._storage = storage

    async def take(self, text: str | None) -> None:
        """Do what a frame asks for, and answer; None stands for a binary frame."""
        try:
            await self._do(read_frame(text))
        except AgentServerError as exc:
            self._hub.counts.bad_frames += 1
            await self._client.reply(error_frame(str(exc)))

    async def _do(self, message: WSMessage) -> None:
        match message.method:
            case WSMethod.HEARTBEAT:
                await self._client.reply(PONG)
            case WSMethod.SUBSCRIBE_GRAPH_EXEC:
                await self._subscribe_to_run(message)
            case WSMethod.SUBSCRIBE_GRAPH_EXECS:
                await self._subscribe_to_graph(message)
            case WSMethod.UNSUBSCRIBE:
                await self._unsubscribe(message)
            case WSMethod.ERROR:
                log.info("client_reports_error", error=(message.error or "")[:200])
            case (
                WSMethod.GRAPH_EXECUTION_EVENT
                | WSMethod.NODE_EXECUTION_EVENT
                | WSMethod.NODE_EXECUTION_TEXT_EVENT
                | WSMethod.NOTIFICATION
            ):
                raise BadFrame(NOT_FOR_US)
            case _:
                assert_never(message.method)

    async def _subscribe_to_run(self, message: WSMessage) -> None:
        request = read_run_request(message)
        run = await self._storage.execution(ExecutionId(request.graph_exec_id))
        if run is None:
            raise NotFound(f"Graph execution {request.graph_exec_id} not found")
        after = request.after_sequence
        watch = self._client.watches.get(run_channel(self._client.user_id, run.id))
        if watch is not None and after is not None:
            # It may be in the middle of being read: a new one begins at the right place.
            self._hub.unwatch(watch)
            watch = None
        if watch is None:
            sequence = run.revision if after is None else after
            watch = RunWatch(self._client, self._storage, run.id, sequence)
            await self._hub.watch(watch)
        await self._begin(message, watch)

    async def _subscribe_to_graph(self, message: WSMessage) -> None:
        graph_id = GraphId(read_graph_request(message).graph_id)
        if await self._storage.active_version(graph_id) is None:
            raise NotFound(f"Graph {graph_id} not found")
        watch = self._client.watches.get(graph_channel(self._client.user_id, graph_id))
        if watch is None:
            graph_watch = watch = GraphWatch(self._client, self._storage, graph_id)
            # What changes from here on is told; so this is before the wait for the executor.
            await graph_watch.begin()
            await self._hub.watch(watch)
        await self._begin(message, watch)

    async def _begin(self, message: WSMessage, watch: Watch) -> None:
        """Answer, and only then send changes."""
        await self._client.reply(success_frame(message.method, watch.channel))
        self._client.refresh(watch)

    async def _unsubscribe(self, message: WSMessage) -> None:
        data = message.data
        if not data:
            raise BadFrame(NO_DATA)
        if not isinstance(data, dict):
            raise BadFrame(BAD_DATA)
        user_id = self._client.user_id
        if "graph_exec_id" in data:
            channel = run_channel(user_id, read_run_request(message).graph_exec_id)
        else:
            channel = graph_channel(user_id, read_graph_request(message).graph_id)
        known = self._hub.is_watched(channel, user_id)
        watch = self._client.watches.get(channel)
        if watch is not None:
            self._hub.unwatch(watch)
        await self._client.reply(success_frame(message.method, channel if known else None))
