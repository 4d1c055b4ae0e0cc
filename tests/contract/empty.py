"""An empty storage for the application: in a file, or, with AGPT_TEST_STORE=cluster, in PostgreSQL."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from backend.adapters.storage.migrate import migrate
from tests.databases import lent
from tests.services import require_service
from tests.stores import STORES, Store


@contextmanager
def empty_store(folder: Path) -> Iterator[Store]:
    """Give a store with all tables and no rows; a file lies in *folder*."""
    if STORES.kind == "embedded":
        (folder / "agpt.db").write_bytes(_empty_database())
        yield Store(folder)
        return
    with lent(require_service("postgres")) as url:
        yield Store(folder, url)


@cache
def _empty_database() -> bytes:
    """Return a database with all its tables. Made once: migrations are tested elsewhere."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agpt.sqlite"
        migrate(path)
        return path.read_bytes()
