"""A database that a check makes for itself on a PostgreSQL server, and what it leaves at the broker."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import psycopg

from backend.adapters.broker.names import Names
from backend.adapters.broker.tidy import check, drop
from backend.adapters.database_place import shown
from backend.adapters.storage.cluster import installation_at
from backend.core.errors import CannotStart

_CONNECT_S: Final = 10
_NAME_BYTES: Final = 5


@dataclass(kw_only=True)
class PrivateDatabase:
    """
    An empty database.

    Attributes:
        url: Its address, with the password that the server's had.
        keep: Set it: then it stays.
    """

    name: str
    url: str
    broker_url: str
    keep: bool = False


@contextmanager
def private_database(server: str, broker_url: str) -> Iterator[PrivateDatabase]:
    """
    Make a database at *server*, and drop it at the end with all that its cluster has at the broker.

    Args:
        server: The address of any database there, of a user who may make others.

    Raises:
        CannotStart: If it cannot be made, or the broker cannot be used; both in a sentence.
    """
    asyncio.run(check(broker_url))
    name = f"agpt_selfcheck_{secrets.token_hex(_NAME_BYTES)}"
    _do(server, f'CREATE DATABASE "{name}" TEMPLATE template0')
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    made = PrivateDatabase(name=name, url=url, broker_url=broker_url)
    try:
        yield made
    finally:
        if not made.keep:
            _remove(server, made)


def _remove(server: str, made: PrivateDatabase) -> None:
    try:
        installation = installation_at(made.url)
        if installation is not None:
            asyncio.run(drop(made.broker_url, Names(installation)))
    finally:
        _do(server, f'DROP DATABASE IF EXISTS "{made.name}" WITH (FORCE)')


def _do(server: str, statement: str) -> None:
    try:
        with psycopg.connect(server, autocommit=True, connect_timeout=_CONNECT_S) as connection:
            connection.execute(statement.encode())
    except psycopg.errors.InsufficientPrivilege as exc:
        raise CannotStart(
            f"The user of {shown(server)} may not make a database for the check (CREATEDB)."
        ) from exc
    except psycopg.Error as exc:
        said = " ".join(str(exc).split())
        raise CannotStart(f"The check cannot use {shown(server)}: {said}") from exc
