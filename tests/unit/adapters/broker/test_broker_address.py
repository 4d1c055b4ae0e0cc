"""What may stand in RABBITMQ_URL, and what is shown of it."""

import pytest

from backend.adapters.broker.address import check_address, for_library, shown
from backend.core.errors import BadRequest


@pytest.mark.parametrize(
    "url",
    [
        "amqp://host",
        "amqp://user:password@host:5672/",
        "amqps://user:p%40ss@[::1]:5671/place?cafile=%2Fetc%2Fca.pem",
    ],
)
def test_addresses_of_brokers_pass(url: str) -> None:
    check_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "host:5672",
        "http://user:hunter2@host",
        "amqp://",
        "amqp://user:hunter2@host:many",
        "amqp://user:hunter2@host:99999",
        "amqp://user:hunter2@host/?heartbeat=0",
        "amqp://user:hunter2@[host/",
    ],
)
def test_others_are_refused_without_their_password(url: str) -> None:
    with pytest.raises(BadRequest, match="amqp://user:password@host") as caught:
        check_address(url)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://user:hunter2@host", "amqp://host:5672"),
        ("amqps://user:hunter2@host:7/%2F", "amqps://host:7"),
        ("amqp://user:hunter2@host/place?cafile=x", "amqp://host:5672/place"),
    ],
)
def test_what_is_shown_has_no_password(url: str, expected: str) -> None:
    assert shown(url) == expected


def test_options_of_ours_are_added_and_those_of_certificates_are_ours_too() -> None:
    assert (
        for_library(
            "amqps://a:b%40@host/x?cafile=%2Fca&auth=external", heartbeat=10, name="agpt: one"
        )
        == "amqps://a:b%40@host/x?auth=external&heartbeat=10&name=agpt%3A%20one"
    )


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("amqp://user:hunter2@host/?cafile=%2Fca.pem", "cafile needs amqps://"),
        ("amqps://user:hunter2@host/?no_verify_ssl=false", "no_verify_ssl is 0 or 1"),
        ("amqps://user:hunter2@host/?cacert=%2Fca.pem", "cacert"),
        ("amqps://user:hunter2@host/?keyfile=%2Fkey.pem", "keyfile needs certfile"),
        ("amqps://user:hunter2@host/?auth=none", "auth is plain or external"),
    ],
)
def test_what_would_leave_the_connection_open_is_refused(url: str, problem: str) -> None:
    with pytest.raises(BadRequest, match=problem) as caught:
        check_address(url)

    assert "hunter2" not in str(caught.value)
