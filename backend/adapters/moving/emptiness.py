"""Whether there is something where rows and files are to go."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from psycopg import sql

from backend.adapters.database_place import Place
from backend.adapters.files.trees import BucketTree
from backend.adapters.moving.filling import MARK
from backend.adapters.moving.places import files_in
from backend.adapters.moving.sources import (
    PostgresSource,
    SqliteSource,
    postgres_connection,
    postgres_errors,
    raw_of,
)
from backend.core.errors import Conflict, NotFound, Unavailable

#: The folder in which a restore works. Where it was left, the files beside it may be of that one.
STAGE = "restoring"


def require_empty(
    place: Place, data_dir: Path, bucket: BucketTree | None, *, needs_bucket: bool = True
) -> None:
    """Raise Conflict if rows or files are there; in the bucket only if that is needed."""
    table = table_with_rows(place)
    if table is not None:
        raise Conflict(
            f"{place} is not empty: its table {table} has rows. `--replace` puts the backup in"
            " their place."
        )
    if bucket is not None and needs_bucket:
        _require_empty_bucket(bucket)
    left = files_in(data_dir, in_bucket=bucket is not None)
    file = None if (data_dir / STAGE).exists() else next(left, None)
    if file is not None:
        raise Conflict(
            f"{data_dir} is not empty: {file.relative_to(data_dir)} is there. `--replace` puts the"
            " backup in its place."
        )


def _require_empty_bucket(bucket: BucketTree) -> None:
    found = next(bucket.entries(), None)
    if found is None:
        return
    try:
        bucket.bucket.find_now(MARK)
    except NotFound:
        raise Conflict(
            f"{bucket} is not empty: {found.name} is there. Set FILES_URL to another prefix; with"
            " `--replace`, files that are there stay, and those of the backup come to them."
        ) from None


def table_with_rows(place: Place) -> str | None:
    """
    Return the name of a table that has rows; None for an empty database, or none at all.

    Raises:
        Unavailable: If it cannot be read, or is no database.
    """
    if place.url:
        with postgres_errors(place), postgres_connection(place.url, writes=False) as connection:
            raw = raw_of(connection)
            source = PostgresSource(raw)
            for shape in source.shapes():
                query = sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier(shape.name))
                if raw.execute(query).fetchone():
                    return shape.name
        return None
    if not place.path.exists():
        return None
    address = f"file:{quote(str(place.path.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as found:
            for shape in SqliteSource(found).shapes():
                if found.execute(f'SELECT 1 FROM "{shape.name}" LIMIT 1').fetchone():  # noqa: S608 -- a table of ours
                    return shape.name
    except sqlite3.DatabaseError as exc:
        raise Unavailable(f"{place} cannot be read: {exc}") from exc
    return None
