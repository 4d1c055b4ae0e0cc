"""The WebSocket service as an ASGI application: the handshake, and the pages beside it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from backend.api.ws.client import Client, Limits
from backend.api.ws.hub import Hub
from backend.api.ws.notices import NoticeBoard
from backend.api.ws.origins import Origins
from backend.api.ws.protocol import ABORT
from backend.api.ws.session import Session
from backend.core.errors import AgentServerError, Unavailable
from backend.core.ids import UserId
from backend.ports.bus import EventSubscriber
from backend.ports.storage import Storage

NO_TOKEN = 4001
BAD_TOKEN = 4003

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def _ignore(_: object) -> None:
    pass


def create_ws_app(  # noqa: PLR0913 -- all that the wiring knows, by name
    *,
    storage: Storage,
    subscriber: EventSubscriber,
    tokens: Callable[[str], Awaitable[UserId]],
    allowed_origins: Sequence[str],
    everybody: UserId | None = None,
    metrics_open: bool = True,
    metrics: Callable[[], str] | None = None,
    limits: Limits | None = None,
    notices: EventSubscriber | None = None,
    on_end: "Callable[[asyncio.Task[None]], None]" = _ignore,
    facts: Callable[[], Mapping[str, object]] = dict,
) -> Starlette:
    """
    Return the application; serve it with `protocol.uvicorn_options`.

    It reads the bus from its start to its end. *storage* and *subscriber* stay the caller's.

    Args:
        storage: Where runs are looked up.
        subscriber: Where changes come from; nobody else may read it.
        tokens: Returns whose token it is; raises one of our errors, or an HTTPException, for one
            that is not good. Asked again while a socket is open, so it should be fast.
        allowed_origins: BACKEND_CORS_ALLOW_ORIGINS.
        everybody: Whose all sockets are; given when sign-in is off.
        metrics_open: Whether `/metrics` answers without a token.
        metrics: What it answers besides.
        limits: What sockets may use.
        notices: Where notices of users come from; read like *subscriber*.
        on_end: Called when what brings changes, or looks at tokens, has ended, however: no server
            says so by itself, and sockets would stay open without ever being told anything.
        facts: What /health says besides.
    """
    service = _Service(
        storage=storage,
        hub=(hub := Hub(subscriber, limits or Limits())),
        board=None if notices is None else NoticeBoard(notices, hub),
        tokens=tokens,
        origins=Origins(allowed_origins),
        everybody=everybody,
        metrics_open=metrics_open,
        metrics=metrics,
        on_end=on_end,
        facts=facts,
    )
    return Starlette(
        routes=[
            Route("/", service.health),
            Route("/health", service.health),
            Route("/health/live", service.live),
            Route("/metrics", service.show_metrics),
            WebSocketRoute("/ws", service.serve),
        ],
        lifespan=service.lifespan,
    )


class _Service:
    def __init__(  # noqa: PLR0913 -- what `create_ws_app` was given
        self,
        *,
        storage: Storage,
        hub: Hub,
        board: NoticeBoard | None,
        tokens: Callable[[str], Awaitable[UserId]],
        origins: Origins,
        everybody: UserId | None,
        metrics_open: bool,
        metrics: Callable[[], str] | None,
        on_end: "Callable[[asyncio.Task[None]], None]",
        facts: Callable[[], Mapping[str, object]],
    ) -> None:
        self._facts = facts
        self._storage = storage
        self._hub = hub
        self._board = board
        self._tokens = tokens
        self._origins = origins
        self._everybody = everybody
        self._metrics_open = metrics_open
        self._metrics = metrics
        self._on_end = on_end

    def lifespan(self, app: Starlette) -> AbstractAsyncContextManager[None]:
        """Read the bus, and look at tokens, while the application lives."""
        del app
        return self._lifespan()

    async def health(self, request: Request) -> Response:
        """Say whether subscriptions can be served."""
        del request
        try:
            await self._storage.ping()
        except Unavailable as exc:
            return JSONResponse({"status": "unhealthy", "reason": str(exc)}, 503)
        return JSONResponse({"status": "healthy", **self._facts()})

    async def live(self, request: Request) -> Response:
        """Say that this process answers at all."""
        del request
        return JSONResponse({"status": "alive"})

    async def show_metrics(self, request: Request) -> Response:
        """Return the metrics; to whoever has a token, unless only this machine can ask."""
        if not self._metrics_open:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            try:
                user_id = self._everybody or await self._user_of(token.strip())
            except Unavailable as exc:
                return JSONResponse({"detail": str(exc)}, 503)
            if scheme.lower() != "bearer" or user_id is None:
                return JSONResponse({"detail": "Authorization header is missing"}, 401)
        text = "".join(_metric_lines(self._hub)) + (self._metrics() if self._metrics else "")
        return Response(text, media_type=_METRICS_TYPE)

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one socket from its handshake to its end."""
        token = websocket.query_params.get("token", "")
        if not self._origins.allow(websocket.headers.getlist("origin")):
            # Before the token is looked at: a page of somebody else learns nothing.
            await websocket.close(BAD_TOKEN)
            return
        try:
            user_id = self._everybody or await self._user_of(token)
        except Unavailable as exc:
            # Nobody can say that the token is bad: it is worth another try.
            await websocket.send_denial_response(JSONResponse({"detail": str(exc)}, 503))
            return
        if user_id is None:
            await websocket.close(BAD_TOKEN if token else NO_TOKEN)
            return
        if not self._hub.has_room_for(user_id):
            full = {"detail": "Too many open sockets; close one first"}
            await websocket.send_denial_response(JSONResponse(full, 429))
            return
        client = self._client(websocket, user_id, token)
        self._hub.add(client)  # before the first wait: a storm of handshakes is counted too
        try:
            if self._board is not None:
                await self._board.begin(user_id)  # before it is open: none is missed after that
            await websocket.accept()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(client.pump())
                tasks.create_task(self._receive(websocket, client))
        except* WebSocketDisconnect:
            pass  # how every socket ends
        finally:
            self._hub.remove(client)
            if self._board is not None:
                self._board.end(user_id)

    async def _receive(self, websocket: WebSocket, client: Client) -> None:
        session = Session(self._hub, client, self._storage.of(client.user_id))
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1005))
            await session.take(message.get("text"))

    def _client(self, websocket: WebSocket, user_id: UserId, token: str) -> Client:
        return Client(
            user_id=user_id,
            token=token,
            send=websocket.send_text,
            close=websocket.close,
            abort=getattr(websocket.state, ABORT, _nothing),
            limits=self._hub.limits,
            counts=self._hub.counts,
        )

    async def _user_of(self, token: str) -> UserId | None:
        """Return whose *token* is; None if it is not good. Raises Unavailable if nobody can say."""
        if not token:
            return None
        try:
            return await self._tokens(token)
        except Unavailable:
            raise
        except (AgentServerError, HTTPException):
            return None

    async def _is_still_good(self, token: str) -> bool:
        if self._everybody is not None:
            return True
        try:
            return await self._user_of(token) is not None
        except Unavailable:
            return True  # a database that is busy ends nobody's socket

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            works = [self._hub.run(), self._hub.check_tokens(self._is_still_good)]
            if self._board is not None:
                works.append(self._board.run())
            begun = [tasks.create_task(work) for work in works]
            for task in begun:
                task.add_done_callback(self._on_end)
            try:
                yield
            finally:
                for task in begun:
                    task.cancel()


def _nothing() -> None:
    """Stand for the abort of a server that has none: its sockets end when the network says so."""


def _metric_lines(hub: Hub) -> list[str]:
    counts = hub.counts
    values = {
        "sockets gauge": hub.open_sockets,
        "topics gauge": hub.topics,
        "frames_sent_total counter": counts.frames_sent,
        "events_received_total counter": counts.events_received,
        "resyncs_total counter": counts.resyncs,
        "queue_overflows_total counter": counts.overflows,
        "bad_frames_total counter": counts.bad_frames,
    }
    return [
        f"# TYPE agpt_ws_{name} {kind}\nagpt_ws_{name} {value}\n"
        for (name, _, kind), value in ((key.partition(" "), value) for key, value in values.items())
    ]
