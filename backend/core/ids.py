"""Ids. Text everywhere; a type of its own each, so that one cannot stand for another."""

import hashlib
from typing import NewType

UserId = NewType("UserId", str)
GraphId = NewType("GraphId", str)
NodeId = NewType("NodeId", str)
LinkId = NewType("LinkId", str)
BlockId = NewType("BlockId", str)
ExecutionId = NewType("ExecutionId", str)
NodeExecutionId = NewType("NodeExecutionId", str)
ScheduleId = NewType("ScheduleId", str)

#: The owner of a fresh installation (spec/contract.md 2.3).
DEFAULT_USER_ID = UserId("3e53486c-cf57-477e-ba2a-cb02dc828e1a")
DEFAULT_USER_EMAIL = "default@example.com"
DEFAULT_USER_NAME = "Default User"


def derived_id(*parts: str | int) -> str:
    """
    Return the UUID (version 8, RFC 9562) that belongs to *parts*, always the same.

    Ids of node executions and of child runs are derived, not drawn: after a crash the same work
    gets the same id, which makes it an idempotency key.
    """
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:]}"
