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
from urllib.parse import urlsplit

import pytest

#: The variable that holds the address of each service, and the port if the address names none.
SERVICES = {
    "postgres": ("AGPT_TEST_POSTGRES_URL", 5432),
    "rabbitmq": ("AGPT_TEST_RABBITMQ_URL", 5672),
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
    variable, port = SERVICES[name]
    address = os.environ.get(variable, "")
    problem = _problem_with(address, port) if address else f"{variable} is not set"
    if not problem:
        return address
    message = f"{name} is needed: {problem}"
    if os.environ.get("AGPT_REQUIRE_SERVICES", "") in ("", "0"):
        pytest.skip(message)
    pytest.fail(message, pytrace=False)


def _problem_with(address: str, port: int) -> str:
    parts = urlsplit(address)
    try:
        socket.create_connection(
            (parts.hostname or "", parts.port or port), timeout=CONNECT_S
        ).close()
    except (OSError, ValueError) as exc:
        return f"nothing answers there: {exc}"
    return ""
