"""A WebSocket client that follows some of the runs of a check, and goes on where it was cut off."""

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import cycle
from typing import Any, Final

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from backend.core import json
from backend.selfcheck.history import Told
from backend.selfcheck.rules import FINAL
from backend.selfcheck.witness import Witness

_PAUSE_S: Final = 0.1
_FRAME_S: Final = 0.1
_OPEN_S: Final = 10.0
_CLOSE_S: Final = 2.0
#: A socket may watch a hundred runs at once.
_MOST: Final = 80
_RUN: Final = "graph_execution_event"
_NODE: Final = "node_execution_event"


class Watcher:
    """
    Follows runs until their end.

    Attributes:
        told: All events, in the order of their arrival.
        followed: Runs that were to be followed.
    """

    def __init__(self, ports: Sequence[int], token: str, witness: Witness) -> None:
        """Prepare a client of the WebSocket services on *ports*: cut off, it goes to the next."""
        self.told: list[Told] = []
        self.followed: set[str] = set()
        self._addresses = cycle(f"ws://127.0.0.1:{port}/ws?token={token}" for port in ports)
        self._witness = witness
        self._fresh: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._last: dict[str, int] = {}  #: by run that is followed: the number that was told last
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._work_done: Future[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._work_done = self._pool.submit(self._work)

    def close(self) -> None:
        """End it; raises what went wrong in between. Twice is harmless."""
        self._over.set()
        self._pool.shutdown()
        if self._work_done is not None:
            self._work_done.result()

    def follow(self, run_id: str) -> None:
        """Follow a run from its beginning."""
        self.followed.add(run_id)
        self._fresh.put(run_id)

    @property
    def waits(self) -> bool:
        """Whether there are runs whose end was not told yet."""
        return bool(self._last) or not self._fresh.empty()

    def _work(self) -> None:
        while not self._over.is_set():
            with (
                suppress(OSError, WebSocketException),
                connect(
                    next(self._addresses),
                    open_timeout=_OPEN_S,
                    close_timeout=_CLOSE_S,
                    proxy=None,
                ) as connection,
            ):
                self._listen(connection)
            self._over.wait(_PAUSE_S)

    def _listen(self, connection: ClientConnection) -> None:
        for run_id, last in list(self._last.items()):
            self._subscribe(connection, run_id, last)
        while not self._over.is_set():
            while len(self._last) < _MOST and not self._fresh.empty():
                run_id = self._fresh.get()
                self._last[run_id] = 0
                self._subscribe(connection, run_id, 0)
            with suppress(TimeoutError):
                self._take(connection, json.loads(connection.recv(_FRAME_S)))

    def _subscribe(self, connection: ClientConnection, run_id: str, last: int) -> None:
        data = {"graph_exec_id": run_id, "after_sequence": last}
        connection.send(json.text({"method": "subscribe_graph_execution", "data": data}))

    def _take(self, connection: ClientConnection, frame: dict[str, Any]) -> None:
        data = frame.get("data")
        if frame.get("method") not in (_RUN, _NODE) or not isinstance(data, dict):
            return
        is_run = frame["method"] == _RUN
        run_id = data["id"] if is_run else data["graph_exec_id"]
        if run_id not in self._last:
            return  # on its way when we said that we have enough
        sequence = int(data["sequence"])
        self.told.append(
            Told(
                run_id=run_id,
                row=run_id if is_run else data["node_exec_id"],
                sequence=sequence,
                status=data["status"],
                committed=self._witness.revision_of(run_id) >= sequence,
            )
        )
        self._last[run_id] = max(self._last[run_id], sequence)
        if is_run and data["status"] in FINAL:
            del self._last[run_id]
            data = {"graph_exec_id": run_id}
            connection.send(json.text({"method": "unsubscribe", "data": data}))


class Watchers:
    """
    Watchers that share the runs to follow among them; each begins at another service.

    Attributes:
        each: One for each WebSocket service.
    """

    def __init__(self, ports: Sequence[int], token: str, witness: Witness) -> None:
        """Prepare a watcher for each of *ports*."""
        turned = ([*ports[number:], *ports[:number]] for number in range(len(ports)))
        self.each = [Watcher(order, token, witness) for order in turned]
        self._next = cycle(self.each)

    def start(self) -> None:
        """Begin."""
        for one in self.each:
            one.start()

    def close(self) -> None:
        """End them; raises what went wrong in between. Twice is harmless."""
        for one in self.each:
            one.close()

    def follow(self, run_id: str) -> None:
        """Follow a run from its beginning, at one of them."""
        next(self._next).follow(run_id)

    @property
    def waits(self) -> bool:
        """Whether there are runs whose end was not told yet."""
        return any(one.waits for one in self.each)

    @property
    def told(self) -> list[Told]:
        """All events; those of one run in the order of their arrival."""
        return [event for one in self.each for event in one.told]

    @property
    def followed(self) -> frozenset[str]:
        """Runs that were to be followed."""
        return frozenset().union(*(one.followed for one in self.each))
