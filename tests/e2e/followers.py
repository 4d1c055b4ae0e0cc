"""Clients that follow runs over WebSockets while these are killed, and go on where they were."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import websockets.exceptions

from tests.e2e.harness import FINAL, Server, Socket

_ORDER = {"QUEUED": 0, "RUNNING": 1, "REVIEW": 1, "COMPLETED": 2, "FAILED": 2, "TERMINATED": 2}
#: What a server is given to say something; then the next one is asked.
_SAYS_S = 20.0
_LOST = (OSError, TimeoutError, AssertionError, websockets.exceptions.WebSocketException)


@dataclass
class Follower:
    """Follows one run after the other, at one of several servers, each until its end."""

    servers: Sequence[Server]
    number: int
    problems: list[str] = field(default_factory=list)
    followed: int = 0
    resumed: int = 0

    def work(self, next_run: Callable[[], str | None], over: threading.Event) -> None:
        """Follow what *next_run* gives, until it gives nothing more and *over* is set."""
        while True:
            run_id = next_run()
            if run_id is not None:
                self._follow(run_id, over)
            elif over.wait(0.1):
                return

    def _follow(self, run_id: str, over: threading.Event) -> None:
        last, rank, turn = 0, 0, self.number
        while True:
            events = self._events(run_id, after=last, server=self.servers[turn % len(self.servers)])
            for event in events:
                data = event["data"]
                if data["sequence"] <= last:
                    self.problems.append(f"{run_id}: {data['sequence']} after {last}")
                last = data["sequence"]
                if event["method"] != "graph_execution_event":
                    continue
                if _ORDER[data["status"]] < rank:
                    self.problems.append(f"{run_id}: {data['status']} after rank {rank}")
                rank = _ORDER[data["status"]]
                if data["status"] in FINAL:
                    self.followed += 1
                    return
            if over.is_set() and not events:
                self.problems.append(f"{run_id}: its end was never told, only up to {last}")
                return
            self.resumed += 1
            turn += 1

    def _events(self, run_id: str, *, after: int, server: Server) -> list[dict[str, Any]]:
        """Return what is told until the run ends, or the server does, or has nothing to say."""
        socket: Socket | None = None
        told: list[dict[str, Any]] = []
        try:
            socket = Socket(server)
            socket.subscribe(run_id, after=after)
            while True:
                told.append(socket.asked_for(limit_s=_SAYS_S))
                data = told[-1]["data"]
                is_run = told[-1]["method"] == "graph_execution_event"
                if is_run and data["status"] in FINAL:
                    return told
        except _LOST:
            return told
        finally:
            if socket is not None:
                socket.close()
