"""The ways of a check to servers: they carry everything, until they are cut or held."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import psycopg
import pytest

from backend.selfcheck.ways import Way, Ways, may_be_cut
from tests.services import require_service

LIMIT_S = 20.0
#: Long enough that what is not held back has arrived.
MOMENT_S = 0.3


@pytest.fixture
def ways() -> Iterator[Ways]:
    made = Ways()
    yield made
    made.close()


@pytest.fixture
def echo() -> Iterator[str]:
    """Where a server says everything again; each of its connections has a thread."""
    server = socket.create_server(("127.0.0.1", 0))

    def say_again(client: socket.socket) -> None:
        with client, suppress(OSError):
            while said := client.recv(1000):
                client.sendall(said)

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=say_again, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"amqp://me:secret@127.0.0.1:{server.getsockname()[1]}/place"
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def connected(way: Way) -> socket.socket:
    parts = urlsplit(way.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=LIMIT_S)


def asked(client: socket.socket, said: bytes) -> bytes:
    client.sendall(said)
    return client.recv(1000)


def test_a_cut_ends_what_is_there_and_lets_new_ones_through(ways: Ways, echo: str) -> None:
    way, other = ways.to(echo), ways.to(echo)
    with connected(way) as first, connected(other) as spared:
        assert (asked(first, b"a"), asked(spared, b"b")) == (b"a", b"b")

        assert ways.cut([way]) == 1

        with suppress(ConnectionResetError):
            assert first.recv(1000) == b""
        assert asked(spared, b"c") == b"c"
        with connected(way) as second:
            assert asked(second, b"d") == b"d"


def test_what_is_held_comes_later_and_whole(ways: Ways, echo: str) -> None:
    way = ways.to(echo)
    with connected(way) as client:
        assert asked(client, b"before") == b"before"

        ways.hold([way])
        time.sleep(MOMENT_S)
        client.sendall(b"held")
        client.settimeout(MOMENT_S)
        with pytest.raises(TimeoutError):
            client.recv(1000)
        client.settimeout(LIMIT_S)
        ways.release([way])

        assert client.recv(1000) == b"held"


def test_who_dies_is_missed_by_the_server_at_once(ways: Ways) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        way = ways.to(f"amqp://127.0.0.1:{server.getsockname()[1]}/")
        client = connected(way)
        there, _ = server.accept()
        there.settimeout(LIMIT_S)

        client.close()

        with there, suppress(ConnectionResetError):
            assert there.recv(1000) == b""


def test_a_database_keeps_its_name_and_is_reached_here(ways: Ways) -> None:
    url = require_service("postgres").replace("127.0.0.1", "localhost")
    way = ways.to(f"{url}?sslmode=prefer")

    with psycopg.connect(way.url) as connection:
        found = connection.info.host, connection.info.hostaddr
        ways.cut([way])
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")

    assert found == ("localhost", "127.0.0.1")
    assert "sslmode=prefer" in way.url


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("postgresql://me:secret@host/name", True),
        ("postgresql://me:secret@host:5433/name?sslmode=verify-full", True),
        ("amqp://host", True),
        ("amqps://host", False),
        ("postgresql:///name?host=/run/postgresql", False),
        ("postgresql://one,two/name", False),
        ("postgresql://host/name?hostaddr=10.0.0.1", False),
    ],
)
def test_some_ways_lead_elsewhere(url: str, *, may: bool) -> None:
    assert may_be_cut(url) is may
