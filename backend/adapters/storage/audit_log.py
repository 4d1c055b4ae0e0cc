"""The audit log's port on one `Database`."""

from backend.adapters.storage import audit
from backend.adapters.storage.database import Database
from backend.core.audit import AuditEntry, ChainBreak, Head
from backend.ports.audit import Audited, AuditQuery


class SqlAuditLog:
    """See backend.ports.audit.AuditLog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, entry: AuditEntry) -> None:
        await self._database.write(lambda c: audit.append(c, entry), incidental=True)

    async def listed(self, wanted: AuditQuery) -> list[Audited]:
        return await self._database.read(lambda c: audit.listed(c, wanted))

    async def head(self) -> Head | None:
        return await self._database.read(audit.head)

    async def verify(self, kept: Head | None = None) -> list[ChainBreak]:
        return await self._database.read(lambda c: audit.breaks(c, kept))

    async def expire(self, *, before_us: int, now_us: int, limit: int) -> int:
        return await self._database.write(
            lambda c: audit.expire(c, before_us, now_us, limit), incidental=True
        )
