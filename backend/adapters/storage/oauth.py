"""Apps that users let in, with their codes and tokens, on one `Database`."""

from collections.abc import Sequence

from sqlalchemy import Connection

from backend.adapters.storage import oauth_apps, oauth_tokens
from backend.adapters.storage.database import Database
from backend.core.ids import OAuthAppId, UserId
from backend.core.oauth import AuthorizationCode, Logo, OAuthApp, OAuthToken


class SqlOAuth:
    """See backend.ports.oauth.OAuthStorage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, user_id: UserId) -> "SqlUserOAuthApps":
        return SqlUserOAuthApps(self._database, user_id)

    async def app_of_client(self, client_id: str) -> OAuthApp | None:
        return await self._database.read(lambda c: oauth_apps.of_client(c, client_id))

    async def logo(self, app_id: OAuthAppId) -> Logo | None:
        return await self._database.read(lambda c: oauth_apps.logo(c, app_id))

    async def add_code(self, code: AuthorizationCode, *, now_us: int) -> None:
        await self._database.write(
            lambda c: oauth_tokens.add_code(c, code, now_us), about=code.app_id
        )

    async def code(self, hash_: str) -> AuthorizationCode | None:
        return await self._database.read(lambda c: oauth_tokens.code(c, hash_))

    async def redeem(self, hash_: str, tokens: Sequence[OAuthToken], *, now_us: int) -> bool:
        return await self._database.write(lambda c: oauth_tokens.redeem(c, hash_, tokens, now_us))

    async def token(self, hash_: str) -> tuple[OAuthToken, OAuthApp] | None:
        def read(connection: Connection) -> tuple[OAuthToken, OAuthApp] | None:
            found = oauth_tokens.token(connection, hash_)
            app = None if found is None else oauth_apps.of_anybody(connection, found.app_id)
            return None if found is None or app is None else (found, app)

        return await self._database.read(read)

    async def rotate(self, hash_: str, tokens: Sequence[OAuthToken], *, now_us: int) -> bool:
        return await self._database.write(lambda c: oauth_tokens.rotate(c, hash_, tokens, now_us))

    async def revoke(self, hash_: str, *, now_us: int) -> bool:
        return await self._database.write(lambda c: oauth_tokens.revoke(c, hash_, now_us))

    async def forget(self, *, now_us: int) -> int:
        return await self._database.write(lambda c: oauth_tokens.forget(c, now_us), incidental=True)

    async def revoke_family(self, family: str, *, now_us: int) -> int:
        return await self._database.write(lambda c: oauth_tokens.revoke_family(c, family, now_us))


class SqlUserOAuthApps:
    """See backend.ports.oauth.UserOAuthApps."""

    def __init__(self, database: Database, user_id: UserId) -> None:
        self._database = database
        self._user_id = user_id

    async def add(self, app: OAuthApp, *, most: int) -> None:
        await self._database.write(
            lambda c: oauth_apps.add(c, self._user_id, app, most), about=app.id
        )

    async def listed(self) -> list[OAuthApp]:
        return await self._database.read(lambda c: oauth_apps.listed(c, self._user_id))

    async def get(self, app_id: OAuthAppId) -> OAuthApp | None:
        return await self._database.read(lambda c: oauth_apps.get(c, self._user_id, app_id))

    async def set_active(self, app_id: OAuthAppId, *, is_active: bool, now_us: int) -> OAuthApp:
        changes = {"is_active": is_active, "updated_us": now_us}
        return await self._database.write(
            lambda c: oauth_apps.change(c, self._user_id, app_id, changes)
        )

    async def set_logo(
        self, app_id: OAuthAppId, logo: Logo | None, *, name: str | None, now_us: int
    ) -> OAuthApp:
        return await self._database.write(
            lambda c: oauth_apps.set_logo(c, self._user_id, app_id, logo, name, now_us)
        )
