"""A server outside that counts what is done to it, by run and step, and with which key."""

import json
import socketserver
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One request as it arrived."""

    run: str
    step: str
    key: str | None
    at_s: float


class EffectCounter:
    """
    Takes ``POST /<step>`` with ``{"run": …}`` and answers the same body.

    The effect happens when the request arrives; the answer comes *slow_s* later.
    """

    def __init__(self, *, slow_s: float = 0.05) -> None:
        self.effects: list[Effect] = []
        self.slow_s = slow_s
        self.on_effect: Callable[[Effect], None] = lambda _: None
        self._news = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def happened(self, effect: Effect) -> None:
        with self._news:
            self.effects.append(effect)
            self._news.notify_all()
        self.on_effect(effect)

    def wait_for(self, count: int, *, limit_s: float = 30.0) -> None:
        """Wait until *count* effects have happened in all."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.effects) >= count, limit_s), (
                f"only {len(self.effects)} of {count} effects"
            )

    def of(self, run: str) -> dict[str, list[Effect]]:
        """Return a run's effects, by step."""
        found: defaultdict[str, list[Effect]] = defaultdict(list)
        for effect in list(self.effects):
            if effect.run == run:
                found[effect.step].append(effect)
        return dict(found)

    def repeated(self) -> Counter[tuple[str, str]]:
        """Return how often too often each (run, step) was done."""
        counted = Counter((effect.run, effect.step) for effect in list(self.effects))
        return Counter({one: count - 1 for one, count in counted.items() if count > 1})


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: whoever asked was killed in the middle."""


def _handler_for(counter: EffectCounter) -> type[socketserver.BaseRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            run = str(json.loads(body).get("run"))
            key = self.headers.get("Idempotency-Key")
            counter.happened(
                Effect(run=run, step=self.path.strip("/"), key=key, at_s=time.monotonic())
            )
            time.sleep(counter.slow_s)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """Keep quiet."""

    return Handler
