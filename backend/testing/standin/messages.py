"""What is asked of a played service, and what it answers."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

#: The key, token, name and password that each played service takes.
KEY: Final = "stand-in-key"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """
    One request.

    Attributes:
        provider: Whose service was asked; for a page of the web its host.
        path: Below the address of the provider, decoded, with a slash before it.
        query: Each parameter with all its values.
        headers: Names in small letters.
    """

    provider: str
    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def one(self, name: str, default: str = "") -> str:
        """Return the first value of a parameter."""
        return self.query.get(name, [default])[0]

    def json(self) -> Any:
        """Return the body read as JSON."""
        return json.loads(self.body)

    @property
    def has_bearer(self) -> bool:
        """Whether it carries `KEY` as a bearer token."""
        return self.headers.get("authorization") == f"Bearer {KEY}"

    @property
    def has_login(self) -> bool:
        """Whether it carries `KEY` as name and password."""
        pair = base64.b64encode(f"{KEY}:{KEY}".encode()).decode()
        return self.headers.get("authorization") == f"Basic {pair}"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """
    One answer.

    Attributes:
        value: Sent as JSON, unless there is a *body*.
        wait_s: The server waits so long before it answers.
    """

    status: int = 200
    value: Any = None
    body: bytes | None = None
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0

    @property
    def content(self) -> bytes:
        """The bytes of the body."""
        return json.dumps(self.value).encode() if self.body is None else self.body


def text(words: str, *, status: int = 200, media_type: str = "text/plain") -> Reply:
    """Return an answer of plain text."""
    return Reply(status=status, body=words.encode(), media_type=f"{media_type}; charset=utf-8")


def html(page: str, *, status: int = 200) -> Reply:
    """Return a page."""
    return text(page, status=status, media_type="text/html")


#: What any service may answer on a bad day.
LIMITED: Final = Reply(
    status=429, value={"error": {"message": "Slow down, please"}}, headers={"Retry-After": "7"}
)
BROKEN: Final = Reply(status=500, value={"message": "We have dropped something"})
GARBAGE: Final = Reply(body=b"<<<\xff nothing that anybody could read")


class Play(Protocol):
    """A played service. One is made for each server, so that it may remember what it was told."""

    def answer(self, asked: Asked) -> Reply:
        """Return the answer to *asked*."""
