"""What publishers and subscribers write to each other through a broker, as bytes.

A *wish* is JSON, from a subscriber to all publishers: which topics it wants, on which queue. An
*envelope* is from one publisher to one subscriber: many entries, behind a line with the
publisher's id and the envelope's number. Of both, what another version adds is passed over.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from backend.core import json

#: Kind, bytes of the topic, bytes of the body.
_HEAD: Final = struct.Struct("!cHI")


class BadEnvelope(json.NotJson):
    """A message has not the form of a wish or an envelope."""


class Kind(Enum):
    """What an entry is."""

    CHANGE = b"C"  #: the body is a change
    MARKER = b"M"  #: the topic is live; the body is the number of the subscription
    LOOK = b"L"  #: something happened on the topic of which there is no change


_KINDS: Final = {kind.value: kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class Wish:
    """
    What one subscriber wants.

    Attributes:
        queue: Where it listens.
        topics: Subscriptions by topic, each with its number; None: it wants the topic no more.
        whole: These are all topics; else the others stay as they are.
        instead: The queue on which it listened before; empty: none.
        is_last: It ends.
    """

    queue: str
    topics: Mapping[str, int | None] = field(default_factory=dict)
    whole: bool = False
    instead: str = ""
    is_last: bool = False


def encode_wish(wish: Wish) -> bytes:
    """Return *wish* as JSON."""
    return json.dumps(wish)


def decode_wish(message: bytes) -> Wish:
    """
    Undo `encode_wish`.

    Raises:
        BadEnvelope: If it cannot be understood.
    """
    try:
        value = json.loads(message)
    except json.NotJson as exc:
        raise BadEnvelope("not JSON") from exc
    match value:
        case {"queue": str() as queue, "topics": dict() as topics, "whole": bool() as whole} if (
            queue and all(number is None or type(number) is int for number in topics.values())
        ):
            instead = str(value.get("instead", ""))
            return Wish(queue, topics, whole, instead, value.get("is_last") is True)
    raise BadEnvelope("not a wish")


def entry(kind: Kind, topic: str, body: bytes = b"") -> bytes:
    """Return one entry of an envelope; *topic* has at most 65,535 bytes."""
    name = topic.encode()
    return _HEAD.pack(kind.value, len(name), len(body)) + name + body


def envelope(publisher: str, number: int, entries: list[bytes]) -> bytes:
    """
    Return *entries* as one message.

    Args:
        number: Counts the envelopes of *publisher* to one subscriber, from 1; 0: it is new, and
            asks what is wanted.
    """
    return f"{publisher} {number}\n".encode() + b"".join(entries)


def is_hello(message: bytes) -> bool:
    """Say whether an envelope is from a publisher that asks what is wanted."""
    return message.endswith(b" 0\n")


def open_envelope(message: bytes) -> tuple[str, int, list[tuple[Kind, str, bytes]]]:
    """
    Return publisher, number and entries: kind, topic, body.

    Raises:
        BadEnvelope: If it cannot be understood.
    """
    head, found, _ = message.partition(b"\n")
    try:
        publisher, number = head.decode().split(" ")
        return publisher, int(number), list(_entries(message, len(head) + len(found)))
    except (ValueError, struct.error) as exc:  # UnicodeDecodeError is a ValueError
        raise BadEnvelope("not an envelope") from exc


def _entries(message: bytes, at: int) -> Iterator[tuple[Kind, str, bytes]]:
    while at < len(message):
        code, topic_bytes, body_bytes = _HEAD.unpack_from(message, at)
        at += _HEAD.size
        body_at = at + topic_bytes
        if body_at + body_bytes > len(message):
            raise ValueError("cut off")
        kind = _KINDS.get(code)
        if kind is not None:
            yield kind, message[at:body_at].decode(), message[body_at : body_at + body_bytes]
        at = body_at + body_bytes
