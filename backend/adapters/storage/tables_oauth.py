"""The tables of apps that users let in. Part of tables.py, apart only for its size."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, Table, Text

from backend.adapters.storage.tables import metadata

oauth_apps: Final = Table(
    "oauth_apps",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("salt", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("redirect_uris", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("logo", Text),
    Column("created_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Index("oauth_apps_by_client", "client_id", unique=True),
    Index("oauth_apps_by_user", "user_id", "created_us", "id"),
)

#: Apart from the apps, so that reading one does not read its picture.
oauth_logos: Final = Table(
    "oauth_logos",
    metadata,
    Column("app_id", Text, primary_key=True),
    Column("media_type", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

oauth_codes: Final = Table(
    "oauth_codes",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("app_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("family", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("challenge", Text, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("used_us", BigInteger),
    Index("oauth_codes_by_end", "expires_us"),
)

oauth_tokens: Final = Table(
    "oauth_tokens",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("app_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("family", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
    Index("oauth_tokens_by_family", "family"),
    Index("oauth_tokens_by_end", "expires_us"),
)
