"""The vault's keeper: seals everything anew with the newest key, and says what does not open."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from backend.core.credentials import SealedRow
from backend.core.errors import SecretUnreadable
from backend.ports.credentials import CredentialsStore
from backend.ports.vault import Vault
from backend.services.sealed import record_id_of, value_in_clear

#: Rows in one transaction: others write too, and wait no longer than for these.
STEP: Final = 20


@dataclass(kw_only=True)
class VaultReport:
    """
    What was found.

    Attributes:
        unreadable: Place and id of what no key opens.
    """

    newest: int = 0  #: sealed with the newest key
    older: int = 0  #: sealed with another one, or not at all yet
    unreadable: list[str] = field(default_factory=list)


class VaultKeeper:
    """Goes through all sealed values, beside running servers."""

    def __init__(self, *, store: CredentialsStore, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    async def check(self) -> VaultReport:
        """Return what is sealed how. Everything is opened; nothing is changed."""
        report = VaultReport()
        async for rows in self._steps():
            for row in rows:
                if self._fresh(row) is None:
                    report.unreadable.append(f"{row.place} #{row.id}")
                elif self._vault.is_newest(row.sealed):
                    report.newest += 1
                else:
                    report.older += 1
        return report

    async def seal_webhooks(self) -> int:
        """Seal the secrets of webhooks that an older server kept in clear; return how many."""
        count, last = 0, None
        while rows := await self._store.webhook_secrets(last, limit=STEP):
            waiting = [row for row in rows if not self._vault.is_sealed(row.sealed)]
            count += len(waiting)
            while waiting:
                waiting = await self._step(waiting)
            last = rows[-1]
        return count

    async def rotate(self) -> VaultReport:
        """
        Seal with the newest key what another one has sealed, in small steps; return how it is now.

        May end at any moment and be begun again: each value tells its key. What somebody else
        changes meanwhile is looked at again; what does not open is left as it is.
        """
        async for rows in self._steps():
            waiting = rows
            while waiting:
                waiting = await self._step(waiting)
        return await self.check()

    async def _step(self, rows: list[SealedRow]) -> list[SealedRow]:
        """Seal *rows* anew; return those that were changed meanwhile, as they are now."""
        pairs = []
        for row in rows:
            if self._vault.is_sealed(row.sealed) and self._vault.is_newest(row.sealed):
                continue
            fresh = self._fresh(row)
            if fresh is not None:
                pairs.append((row, fresh))
        changed = await self._store.seal_again(pairs) if pairs else []
        now = [await self._store.sealed_now(row) for row in changed]
        return [row for row in now if row is not None]

    def _fresh(self, row: SealedRow) -> str | None:
        """Return the value of *row* sealed anew; None if it does not open."""
        record_id = record_id_of(row.place, row.id)
        clear = None
        if not self._vault.is_sealed(row.sealed):
            clear = value_in_clear(row.place, row.sealed)
        if clear is not None:
            return self._vault.seal(clear, user_id=row.user_id, record_id=record_id)
        try:
            value = self._vault.open(row.sealed, user_id=row.user_id, record_id=record_id)
        except SecretUnreadable:
            return None
        return self._vault.seal(value, user_id=row.user_id, record_id=record_id)

    async def _steps(self) -> AsyncIterator[list[SealedRow]]:
        last: SealedRow | None = None
        while rows := await self._store.sealed(last, limit=STEP):
            yield rows
            last = rows[-1]
