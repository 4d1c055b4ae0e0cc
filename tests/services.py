"""Services that some tests need, and the markers of this project. A pytest plugin.

A test that needs PostgreSQL asks for its address::

    def test_the_same_rows_come_back() -> None:
        address = require_service("postgres")

Without the service the test is skipped with a reason. With ``AGPT_REQUIRE_SERVICES=1``, as in CI,
it fails instead: what was meant to be tested cannot be left out unseen. Markers:

- ``service("postgres")``: the same question, asked before any fixture of the test is made;
- ``chaos``: a long storm of kills and faults, only in ``make chaos``.
"""

import os
import socket
from functools import cache
from urllib.parse import urlsplit

import psycopg
import pytest

#: The variable that holds the address of each service, the address without it, and the port of an
#: address that names none.
SERVICES = {
    "postgres": ("AGPT_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres", 5432),
    "rabbitmq": ("AGPT_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672/", 5672),
}
CONNECT_S = 3.0


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    config.addinivalue_line("markers", "chaos: a long storm of kills and faults; `make chaos`")
    config.addinivalue_line("markers", "service(name): needs a service; see tests/services.py")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Ask for the services of a test's markers."""
    for marker in item.iter_markers("service"):
        for name in marker.args:
            require_service(name)


def require_service(name: str) -> str:
    """Give the address of a service that answers; otherwise skip the test, or fail it."""
    variable, default, _ = SERVICES[name]
    address = os.environ.get(variable, "") or default
    problem = _problem_with(name, address)
    if not problem:
        return address
    message = f"{name} is needed ({variable}): {problem}"
    if os.environ.get("AGPT_REQUIRE_SERVICES", "") in ("", "0"):
        pytest.skip(message)
    pytest.fail(message, pytrace=False)


@cache
def _problem_with(name: str, address: str) -> str:
    """Say why a service cannot be used; asked once a process."""
    try:
        if name == "postgres":
            # Whether something listens says little: it may let nobody in.
            psycopg.connect(address, connect_timeout=3).close()
            return ""
        parts = urlsplit(address)
        place = (parts.hostname or "", parts.port or SERVICES[name][2])
        socket.create_connection(place, timeout=CONNECT_S).close()
    except (OSError, ValueError, psycopg.Error) as exc:
        return f"nothing answers there: {exc}"
    return ""
