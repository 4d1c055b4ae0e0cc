"""Ids. Text everywhere; a type of its own each, so that one cannot stand for another."""

import hashlib
from typing import Final, NewType

UserId = NewType("UserId", str)
GraphId = NewType("GraphId", str)
NodeId = NewType("NodeId", str)
LinkId = NewType("LinkId", str)
BlockId = NewType("BlockId", str)
ExecutionId = NewType("ExecutionId", str)
NodeExecutionId = NewType("NodeExecutionId", str)
ScheduleId = NewType("ScheduleId", str)
PresetId = NewType("PresetId", str)
WebhookId = NewType("WebhookId", str)
LibraryAgentId = NewType("LibraryAgentId", str)
CredentialsId = NewType("CredentialsId", str)
ApiKeyId = NewType("ApiKeyId", str)
OAuthAppId = NewType("OAuthAppId", str)
SessionId = NewType("SessionId", str)
ChannelId = NewType("ChannelId", str)

#: The owner of a fresh installation (spec/contract.md 2.3).
DEFAULT_USER_ID = UserId("3e53486c-cf57-477e-ba2a-cb02dc828e1a")
DEFAULT_USER_EMAIL = "default@example.com"
DEFAULT_USER_NAME = "Default User"


def derived_id(*parts: str | int) -> str:
    """
    Return the UUID (version 8, RFC 9562) that belongs to *parts*, always the same.

    Ids of child runs and of fires are derived, not drawn: after a crash the same work gets the same
    id, which makes it an idempotency key.
    """
    return _as_uuid8(_digest("\x1f".join(map(str, parts))))


def run_below(parent: ExecutionId, node_exec_id: str, tries: int) -> ExecutionId:
    """Return the id of the run that a node execution starts, in the try after *tries* of them."""
    which = f"child{tries}" if tries else "child"
    return ExecutionId(derived_id(parent, node_exec_id, which))


def tool_call_id(caller: str, key: str) -> str:
    """Return the id of the execution with which the node execution *caller* calls a tool as *key*."""
    return derived_id(caller, "tool", key)


class IdSeries:
    """
    The ids of what belongs to one thing, by number: the same ones whenever they are asked for.

    A hash for each would be a fifth of the time that a small step takes, so there is one hash for
    the thing, and each number is a fixed step away from it.
    """

    __slots__ = ("_start",)

    def __init__(self, owner: str) -> None:
        self._start = _digest(owner)

    def __getitem__(self, number: int) -> str:
        """Return the id of *number*, a UUID of version 8; no two numbers have the same."""
        return _as_uuid8((self._start + number * _STRIDE) & _FREE_BITS)


_FREE_BITS: Final = (1 << 122) - 1  # of a UUID's 128, six are its version and variant
_STRIDE: Final = 0x9E3779B97F4A7C15F39CC0605CEDC83  # odd, so that no number comes twice


def _digest(text: str) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest) & _FREE_BITS


def _as_uuid8(value: int) -> str:
    """Put version and variant between the 122 bits of *value*."""
    high = value >> 62 & 0xFFF
    digits = f"{value >> 74:012x}8{high:03x}{1 << 63 | value & (1 << 62) - 1:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
