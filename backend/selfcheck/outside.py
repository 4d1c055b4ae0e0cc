"""The world outside of a check: a real HTTP server on loopback that counts what is done to it."""

import json
import socketserver
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from backend.selfcheck.history import Call, now_us

_TURN_S: Final = 0.05
_LARGEST_BODY: Final = 1_000_000


class Outside:
    """
    Takes ``POST`` or ``PUT /<step>`` with ``{"run": …}`` and answers the same body, some time later.

    The effect happens when the request arrives. Of a body with an ``item`` the step is
    ``<step>/<item>``.
    """

    def __init__(self, slow_s: Callable[[str, str], float]) -> None:
        """Start it. *slow_s* says, of a run and its step, how long the answer takes."""
        self._slow_s = slow_s
        self._calls: list[Call] = []
        self._answers = 0
        self._news = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_TURN_S,), name="outside"
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def origin(self) -> str:
        """Where it answers: ``http://127.0.0.1:<port>``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def calls(self) -> list[Call]:
        """Return all calls so far, in the order of their arrival."""
        with self._news:
            return list(self._calls)

    def wait_for_calls(self, count: int, *, limit_s: float) -> bool:
        """Wait until *count* more calls have arrived; tells whether they have, in time."""
        with self._news:
            wanted = len(self._calls) + count
            return self._news.wait_for(lambda: len(self._calls) >= wanted, limit_s)

    def wait_for_answers(self, count: int, *, limit_s: float) -> bool:
        """Wait until *count* more calls have been answered; tells whether they have, in time."""
        with self._news:
            wanted = self._answers + count
            return self._news.wait_for(lambda: self._answers >= wanted, limit_s)

    def close(self) -> None:
        """End it. Calls under way are answered first."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, call: Call) -> float:
        """Note a call; return how long its answer takes."""
        with self._news:
            self._calls.append(call)
            self._news.notify_all()
        return self._slow_s(call.run, call.step)

    def answered(self) -> None:
        """Note that a call has been answered."""
        with self._news:
            self._answers += 1
            self._news.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: who called has been killed."""


def _handler_for(outside: Outside) -> Callable[..., socketserver.BaseRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = min(int(self.headers["Content-Length"] or 0), _LARGEST_BODY)
            body = json.loads(self.rfile.read(length))
            step = self.path.lstrip("/")
            if "item" in body:
                step = f"{step}/{body['item']}"
            call = Call(
                run=body["run"], step=step, key=self.headers["Idempotency-Key"], at_us=now_us()
            )
            time.sleep(outside.take(call))
            answer = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            self.wfile.flush()
            outside.answered()

        do_PUT = do_POST  # noqa: N815 -- the name that http.server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
