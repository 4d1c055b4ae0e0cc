"""The tables of accounts, sessions and of what lets somebody in. Tokens lie here as hashes only."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from backend.adapters.storage.tables import metadata, users

#: An address is one person's.
users_by_email: Final = Index("users_by_email", users.c.email)

#: Beside a row of `users`; who never had a role, a password or a ban has none.
accounts: Final = Table(
    "accounts",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("login", Text),  # the address that signs in, in its normal spelling
    Column("role", Text, nullable=False),
    Column("password_hash", Text),
    Column("is_disabled", Boolean, nullable=False, server_default=text("false")),
    Column("created_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("last_login_us", BigInteger),
    Index("accounts_by_login", "login", unique=True),
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("last_used_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Index("sessions_by_user", "user_id", "created_us"),
    Index(
        "sessions_ended",
        "ended_us",
        sqlite_where=text("ended_us IS NOT NULL"),
        postgresql_where=text("ended_us IS NOT NULL"),
    ),
)

#: Used ones stay as long as their session: who shows one again has stolen it, or was stolen from.
refresh_tokens: Final = Table(
    "refresh_tokens",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("session_id", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("used_us", BigInteger),
    Index("refresh_tokens_by_session", "session_id"),
)

#: Each is deleted when it is used.
one_time_tokens: Final = Table(
    "one_time_tokens",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("value", Text),
    Column("expires_us", BigInteger, nullable=False),
    Index("one_time_tokens_by_user", "user_id", "purpose"),
)

#: Who is who at a provider of identities.
identities: Final = Table(
    "identities",
    metadata,
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("issuer", "subject"),
)

#: Sign-ins at a provider that are on their way.
oidc_logins: Final = Table(
    "oidc_logins",
    metadata,
    Column("state_hash", Text, primary_key=True),
    Column("browser_hash", Text, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Index("oidc_logins_by_time", "expires_us"),
)
