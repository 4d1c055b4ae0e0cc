"""Where a database is."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from backend.adapters.storage.value_files import ValueStore


@dataclass(frozen=True, slots=True)
class Place:
    """
    A SQLite file, or a database of a PostgreSQL server. As text it has no password.

    Attributes:
        path: The file; of PostgreSQL it is not there, and large values lie beside it all the same.
        url: The address of PostgreSQL; empty: it is the file.
        values: Where large values lie; None: in the folder of files beside *path*.
    """

    path: Path
    url: str = ""
    values: "ValueStore | None" = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return shown(self.url) if self.url else str(self.path)


def place_at(where: "Place | Path | str") -> Place:
    """Return the place that *where* is: a path is one of a SQLite file."""
    return where if isinstance(where, Place) else Place(Path(where))


def shown(url: str) -> str:
    """Return *url* without what nobody else should read."""
    parts = urlsplit(url)
    where = parts.hostname or ""
    if parts.port:
        where += f":{parts.port}"
    return f"postgresql://{where}{parts.path}"
