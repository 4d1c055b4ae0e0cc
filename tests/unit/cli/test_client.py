"""Where a server is, and to whom a token goes."""

import pytest

from backend.cli.client import address_of, own_token
from backend.core.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "origin", "loopback"),
    [
        ("http://127.0.0.1:8006", "http://127.0.0.1:8006", True),
        ("http://localhost:8006/api/", "http://localhost:8006", True),
        ("localhost:8006", "http://localhost:8006", True),
        ("http://[::1]:8006", "http://[::1]:8006", True),
        ("https://agents.example", "https://agents.example", False),
        ("10.0.0.1:8006", "http://10.0.0.1:8006", False),
        ("http://127.0.0.1.example:8006", "http://127.0.0.1.example:8006", False),
    ],
)
def test_an_address_is_read(text: str, origin: str, loopback: bool) -> None:  # noqa: FBT001 - a case
    address = address_of(text)

    assert (address.origin, address.is_loopback) == (origin, loopback)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ftp://host",
        "http://",
        "http://host:99999",
        "http://host/elsewhere",
        "http://user:word@host",
        "http://[::1",
        "http://host:8006?x=1",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="no address"):
        address_of(text)


def test_no_token_is_made_for_another_machine() -> None:
    assert own_token(address_of("http://agents.example:8006"), {}) is None
