"""The port of accounts on one `Database`; each method is one function in one transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection

from backend.adapters.storage import accounts, sessions
from backend.adapters.storage import one_time_tokens as tokens
from backend.adapters.storage.database import Database
from backend.adapters.storage.one_time_tokens import Purpose
from backend.core.accounts import AccountRecord, Role, SessionRecord, Standing
from backend.core.ids import SessionId, UserId


class SqlAccounts:
    """See backend.ports.accounts.Accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, user_id: UserId) -> "SqlUserAccount":
        return SqlUserAccount(self._database, user_id)

    async def add(self, account: AccountRecord) -> None:
        await self._database.write(lambda c: accounts.add(c, account))

    async def ensure_owner(self, user_id: UserId, *, now_us: int) -> None:
        await self._database.write(lambda c: accounts.ensure_owner(c, user_id, now_us))

    async def by_login(self, email: str) -> AccountRecord | None:
        return await self._database.read(lambda c: accounts.by_login(c, email))

    async def find(self, who: str) -> AccountRecord | None:
        return await self._database.read(lambda c: accounts.find(c, who))

    async def listed(self, *, limit: int) -> list[AccountRecord]:
        return await self._database.read(lambda c: accounts.listed(c, limit))

    async def standing(self, *, ended_after_us: int) -> Standing:
        return await self._database.read(lambda c: accounts.standing(c, ended_after_us))

    async def take_reset(self, token_hash: str, *, now_us: int) -> UserId | None:
        taken = await self._database.write(
            lambda c: tokens.take(c, Purpose.RESET, token_hash, now_us)
        )
        return None if taken is None else taken.user_id

    async def take_address(self, token_hash: str, *, now_us: int) -> AccountRecord | None:
        return await self._database.write(lambda c: accounts.take_address(c, token_hash, now_us))

    async def rotate(
        self, token_hash: str, new_hash: str, *, expires_us: int, address: str, now_us: int
    ) -> tuple[SessionRecord | None, bool]:
        return await self._database.write(
            lambda c: sessions.rotate(
                c, token_hash, new_hash, expires_us=expires_us, address=address, now_us=now_us
            )
        )


class SqlUserAccount:
    """See backend.ports.accounts.UserAccount."""

    def __init__(self, database: Database, user_id: UserId) -> None:
        self.user_id = user_id
        self._database = database

    async def get(self) -> AccountRecord | None:
        return await self._database.read(lambda c: accounts.get(c, self.user_id))

    async def set_password(self, password_hash: str, *, now_us: int) -> None:
        await self._database.write(
            lambda c: accounts.set_password(c, self.user_id, password_hash, now_us)
        )

    async def add_reset(self, token_hash: str, *, expires_us: int) -> None:
        await self._database.write(
            lambda c: tokens.add(c, self.user_id, Purpose.RESET, token_hash, expires_us)
        )

    async def add_address(self, token_hash: str, email: str, *, expires_us: int) -> None:
        await self._database.write(
            lambda c: tokens.add(c, self.user_id, Purpose.ADDRESS, token_hash, expires_us, email)
        )

    async def set_disabled(self, *, disabled: bool, now_us: int) -> None:
        await self._database.write(
            lambda c: accounts.set_disabled(c, self.user_id, now_us, disabled=disabled)
        )

    async def set_role(self, role: Role, *, now_us: int) -> None:
        await self._database.write(lambda c: accounts.set_role(c, self.user_id, role, now_us))

    async def add_session(
        self, session: SessionRecord, *, token_hash: str, most: int, now_us: int
    ) -> Sequence[SessionId]:
        def save(connection: Connection) -> Sequence[SessionId]:
            accounts.note_login(connection, self.user_id, now_us)
            return sessions.add(connection, session, token_hash, most, now_us)

        return await self._database.write(save)

    async def sessions(self, *, now_us: int) -> list[SessionRecord]:
        return await self._database.read(lambda c: sessions.living(c, self.user_id, now_us))

    async def end_session(self, session_id: SessionId, *, now_us: int) -> bool:
        return await self._database.write(
            lambda c: sessions.end(c, self.user_id, session_id, now_us)
        )

    async def end_sessions(self, *, but: SessionId | None = None, now_us: int) -> int:
        return await self._database.write(lambda c: sessions.end_all(c, self.user_id, but, now_us))
