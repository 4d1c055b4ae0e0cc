"""An S3-compatible server for tests: moto's, a process of its own on loopback. A pytest plugin.

A test that takes the fixture `s3` has one, shared by all tests of its process; each bucket is the
test's own. A `Gate` stands between it and the server where the line is to break.
"""

import itertools
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from backend.adapters.files.bucket import Bucket, BucketPlace, Patience
from tests.e2e.running import free_port

KEY, SECRET = "test-key", "test-secret"
#: A test need not wait for long to see that nobody answers.
HASTY = Patience(connect_s=0.5, silent_s=0.5, retries=1, retries_s=1.0)
_START_S = 60.0


class S3:
    """The server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.endpoint = f"http://127.0.0.1:{port}"
        self._numbers = itertools.count(1)

    def new_bucket(self) -> str:
        """Make an empty bucket."""
        name = f"bucket-{os.getpid()}-{next(self._numbers)}"
        request = urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")
        with urllib.request.urlopen(request, timeout=10):
            return name

    def bucket(self, *, endpoint: str = "", patience: Patience | None = None) -> Bucket:
        """Return a client of an empty bucket, below a prefix."""
        return Bucket(self.place(endpoint=endpoint), patience)

    def place(self, *, endpoint: str = "", bucket: str = "") -> BucketPlace:
        """Return where an empty bucket is."""
        return BucketPlace(
            bucket=bucket or self.new_bucket(),
            prefix="some/where",
            endpoint=endpoint or self.endpoint,
            region="us-east-1",
            access_key_id=KEY,
            secret_access_key=SECRET,
        )

    def environment(self, *, endpoint: str = "") -> dict[str, str]:
        """Return the settings of an empty bucket."""
        return {
            "FILES_URL": f"s3://{self.new_bucket()}/some/where",
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }


class Gate:
    """A line to a port that can be cut, and mended. Use it in a `with`."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._is_open = True
        self._lock = threading.Lock()
        self._lines: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=5)

    def cut(self) -> None:
        """End all connections, and each that comes."""
        with self._lock:
            self._is_open = False
            for line in self._lines:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let them through again."""
        with self._lock:
            self._is_open = True

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if not self._is_open:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._behind))
                self._lines |= {client, server}
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        for line in (source, target):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._lines.discard(source)
        source.close()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A running server; it keeps all in memory."""
    folder: Path = tmp_path_factory.mktemp("s3")
    port = free_port()
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(port, server)
        yield S3(port)
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    pytest.fail("the S3-compatible server of the tests did not start", pytrace=False)
