"""The doctor's look at the audit log: whether its chain holds."""

from collections.abc import Iterator

from sqlalchemy import Connection

from backend.adapters.storage import audit
from backend.ports.doctor import Broken


def broken_chain(connection: Connection) -> Iterator[Broken]:
    """Yield the rows at which the chain does not hold."""
    for found in audit.breaks(connection):
        yield Broken(row=f"audit {found.seq}", detail=found.detail)
