"""The messages of the Model Context Protocol that a server without sessions needs, and no more.

The protocol's own library costs an API process 30 MB and a second; of it all, this server needs
five methods, each one question and one answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: The versions that are spoken, the newest first.
VERSIONS: Final = ("2025-11-25", "2025-06-18", "2025-03-26")

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602


class Refused(Exception):
    """A message that is answered with an error of JSON-RPC."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message; without an *id* it is a notification, or an answer, and nobody answers it."""

    method: str
    id: str | int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


def read(value: Any) -> Message:
    """
    Return *value*, JSON, as a message.

    Raises:
        Refused: If it is none. Several in a list are none either: the protocol gave that up.
    """
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
        raise Refused(INVALID_REQUEST, "send one JSON-RPC 2.0 message")
    if "method" not in value and ("result" in value or "error" in value):
        return Message(method="")
    method, id_, params = value.get("method"), value.get("id"), value.get("params")
    if not isinstance(method, str):
        raise Refused(INVALID_REQUEST, "method is a text")
    if isinstance(id_, bool) or not isinstance(id_, str | int | None):
        raise Refused(INVALID_REQUEST, "id is a text or a whole number")
    if params is not None and not isinstance(params, dict):
        raise Refused(INVALID_PARAMS, "params is an object")
    return Message(method=method, id=id_, params=params or {})


def result(id_: str | int | None, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to the message *id_*."""
    return {"jsonrpc": "2.0", "id": id_, "result": dict(value)}


def error(id_: str | int | None, code: int, message: str) -> dict[str, Any]:
    """Return the error that answers the message *id_*."""
    return {"jsonrpc": "2.0", "id": id_, "error": {"code": code, "message": message}}
