"""Apps that users let in: a row each, their pictures beside them."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from backend.adapters.storage.tables_oauth import oauth_apps, oauth_logos
from backend.core import json
from backend.core.api_keys import KeySecret
from backend.core.errors import Conflict, NotFound
from backend.core.ids import OAuthAppId, UserId
from backend.core.oauth import Logo, OAuthApp
from backend.core.permissions import as_permissions

_A: Final = oauth_apps.c
_L: Final = oauth_logos.c


def add(connection: Connection, user_id: UserId, app: OAuthApp, most: int) -> None:
    """Save an app; see UserOAuthApps.add."""
    count = connection.execute(
        select(func.count()).select_from(oauth_apps).where(_A.user_id == user_id)
    ).scalar_one()
    if count >= most:
        raise Conflict(f"there are {most} apps already")
    connection.execute(
        insert(oauth_apps).values(
            id=app.id,
            user_id=user_id,
            client_id=app.client_id,
            salt=app.secret.salt,
            hash=app.secret.hash,
            name=app.name,
            description=app.description,
            redirect_uris=json.text(list(app.redirect_uris)),
            scopes=json.text(list(app.scopes)),
            is_active=app.is_active,
            logo=app.logo,
            created_us=app.created_us,
            updated_us=app.updated_us,
        )
    )


def listed(connection: Connection, user_id: UserId) -> list[OAuthApp]:
    """Return the apps of this user, newest first."""
    found = connection.execute(
        select(oauth_apps).where(_A.user_id == user_id).order_by(_A.created_us.desc(), _A.id.desc())
    )
    return [_record(row) for row in found]


def get(connection: Connection, user_id: UserId, app_id: OAuthAppId) -> OAuthApp | None:
    """Return an app of this user."""
    row = connection.execute(
        select(oauth_apps).where(_A.id == app_id, _A.user_id == user_id)
    ).one_or_none()
    return None if row is None else _record(row)


def change(
    connection: Connection, user_id: UserId, app_id: OAuthAppId, changes: Mapping[str, Any]
) -> OAuthApp:
    """Change columns of an app of this user, and return it."""
    connection.execute(
        update(oauth_apps).where(_A.id == app_id, _A.user_id == user_id).values(**changes)
    )
    found = get(connection, user_id, app_id)
    if found is None:
        raise NotFound(f"OAuth app #{app_id} not found.")
    return found


def set_logo(
    connection: Connection,
    user_id: UserId,
    app_id: OAuthAppId,
    logo: Logo | None,
    name: str | None,
    now_us: int,
) -> OAuthApp:
    """Keep another picture, or none; see UserOAuthApps.set_logo."""
    changed = change(connection, user_id, app_id, {"logo": name, "updated_us": now_us})
    connection.execute(delete(oauth_logos).where(_L.app_id == app_id))
    if logo is not None:
        connection.execute(
            insert(oauth_logos).values(
                app_id=app_id, media_type=logo.media_type, content=logo.content
            )
        )
    return changed


def of_client(connection: Connection, client_id: str) -> OAuthApp | None:
    """Return an app, whoever's."""
    row = connection.execute(select(oauth_apps).where(_A.client_id == client_id)).one_or_none()
    return None if row is None else _record(row)


def of_anybody(connection: Connection, app_id: OAuthAppId) -> OAuthApp | None:
    """Return an app, whoever's."""
    row = connection.execute(select(oauth_apps).where(_A.id == app_id)).one_or_none()
    return None if row is None else _record(row)


def logo(connection: Connection, app_id: OAuthAppId) -> Logo | None:
    """Return the picture of an app, whoever's."""
    row = connection.execute(select(oauth_logos).where(_L.app_id == app_id)).one_or_none()
    return None if row is None else Logo(media_type=row.media_type, content=row.content)


def _record(row: Row[Any]) -> OAuthApp:
    return OAuthApp(
        id=OAuthAppId(row.id),
        user_id=UserId(row.user_id),
        client_id=row.client_id,
        secret=KeySecret(head="", tail="", salt=row.salt, hash=row.hash),
        name=row.name,
        description=row.description,
        redirect_uris=tuple(json.loads(row.redirect_uris)),
        scopes=as_permissions(json.loads(row.scopes)),
        is_active=bool(row.is_active),
        logo=row.logo,
        created_us=row.created_us,
        updated_us=row.updated_us,
    )
