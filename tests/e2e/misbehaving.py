"""A server of somebody else on loopback that does all that servers do to who signs in at them."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class _Handler(BaseHTTPRequestHandler):
    owner: "Misbehaving"
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.owner.shown[path] = {name.lower(): value for name, value in self.headers.items()}
        getattr(self, f"_{path.strip('/')}")()

    do_POST = do_GET  # noqa: N815 - the name that the base looks for

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _everything(self) -> bytes:
        return repr(dict(self.headers)).encode()

    def _ok(self) -> None:
        self._answer(200, b'{"fine": true}', content_type="application/json")

    def _refused(self) -> None:
        """A 401 that shows all it was shown."""
        self._answer(401, self._everything(), content_type="text/plain")

    def _broken(self) -> None:
        self._answer(500, self._everything() * 3, content_type="text/plain")

    def _garbage(self) -> None:
        """No JSON, though it says so; the secret stands in it."""
        self._answer(200, b"{" + self._everything(), content_type="application/json")

    def _away(self) -> None:
        """Away to the same server by another name: another host."""
        self._answer(
            302, b"", location=f"{self.owner.origin.replace('127.0.0.1', 'localhost')}/stranger"
        )

    def _stranger(self) -> None:
        self._answer(200, self._everything(), content_type="text/plain")

    def _cut(self) -> None:
        """An answer that ends in the middle."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(self._everything()[:20])
        self.close_connection = True


class Misbehaving:
    """Answers by path; remembers which headers it was shown, by path."""

    def __init__(self) -> None:
        self.shown: dict[str, dict[str, str]] = {}
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
