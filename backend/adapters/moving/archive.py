"""
An archive: a tar of rows, files and keys, whose last member says what all the others must be.

    agpt-backup.json        that it is one, its format, who made it, and of which step of the tables
    rows/<table>/<n>.gz     lines of rows, see rows.py
    files/…, outbox/…       what lies in the data directory, and in the bucket
    keys/…                  only if it was asked for
    hashes/<n>.json         [name, bytes, SHA-256] of the members before it, some thousands each
    manifest.json           the tables with their columns, counts and sums

Everything is written once, from the beginning to the end, and read in the same way.
"""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from backend.adapters.files.trees import Readable
from backend.adapters.moving.rows import Row, Shape, Sum, line_of, shape_as_json
from backend.core import json

FORMAT: Final = 1
NAME: Final = "agpt-backup"
#: Folders of the data directory that an archive may have.
TOPS: Final = ("files", "outbox", "drop", "keys")
HEADER: Final = "agpt-backup.json"
MANIFEST: Final = "manifest.json"
ROWS: Final = "rows/"
HASHES: Final = "hashes/"
_LISTED: Final = 5_000
#: So many bytes of lines are one member: what is in memory at a time.
_PIECE: Final = 4 * 1024 * 1024
_LEVEL: Final = 1


@dataclass(kw_only=True)
class Manifest:
    """
    What an archive says of itself.

    Attributes:
        header: `format`, `program`, `step`, `database`, `made_us`, `key` (a fingerprint), and
            `without_bucket`: files of users and runs lie in a bucket, and are not in it.
        sums: By table: rows and their sum, as text.
    """

    header: dict[str, Any]
    shapes: list[Shape] = field(default_factory=list)
    sums: dict[str, tuple[int, str]] = field(default_factory=dict)
    files: int = 0
    file_bytes: int = 0
    has_keys: bool = False

    @property
    def step(self) -> str:
        """The step of its tables."""
        return str(self.header["step"])

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(count for count, _ in self.sums.values())


class Writer:
    """Writes an archive. What it is given comes in the order in which it is written."""

    def __init__(self, file: BinaryIO, header: dict[str, Any]) -> None:
        """Begin an archive in *file*, empty and seekable."""
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 -- closed by `close`
        self._members: list[list[Any]] = []
        self._lists = 0
        self.manifest = Manifest(header={"format": FORMAT, "kind": NAME, **header})
        self._add(HEADER, json.dumps(self.manifest.header))

    def rows(self, shape: Shape, rows: Iterable[Row]) -> Sum:
        """Add a table; memory holds some megabytes of it at a time."""
        total, line, pieces = Sum(), line_of(shape), 0
        waiting = bytearray()
        for row in rows:
            text = line(row)
            total.add(text)
            if waiting:
                waiting += b"\n"
            # Copied, not kept: what JSON is written into is many times as long.
            waiting += text
            if len(waiting) >= _PIECE:
                self._piece(shape.name, pieces, waiting)
                waiting, pieces = bytearray(), pieces + 1
        if waiting:
            self._piece(shape.name, pieces, waiting)
        self.manifest.shapes.append(shape)
        self.manifest.sums[shape.name] = (total.count, total.hex)
        return total

    def file(self, name: str, source: Readable, size: int) -> None:
        """Add a file of *size* bytes under *name*. Raises EOFError if it is shorter."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        reader = Hashing(source, size)
        self._tar.addfile(info, reader)  # type: ignore[arg-type]  # it reads, and no more is asked for
        self._note(name, size, reader.hex)
        self.manifest.files += 1
        self.manifest.file_bytes += size

    def link(self, name: str, to: str) -> None:
        """Add another name of a file that was added as *to*."""
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.LNKTYPE, to
        self._tar.addfile(info)
        self._note(name, 0, to)
        self.manifest.files += 1

    def keys(self, name: str, content: bytes) -> None:
        """Add a key."""
        self._add(name, content)
        self.manifest.has_keys = True

    def close(self) -> None:
        """Write what makes it whole."""
        self._list()
        made = self.manifest
        told = {
            "tables": {
                shape.name: {
                    "columns": shape_as_json(shape),
                    "rows": made.sums[shape.name][0],
                    "sum": made.sums[shape.name][1],
                }
                for shape in made.shapes
            },
            "lists": self._lists,
            "files": made.files,
            "file_bytes": made.file_bytes,
            "has_keys": made.has_keys,
        }
        body = json.dumps(told)
        self._add(MANIFEST, json.dumps({**told, "sha256": sha256(body)}))
        self._tar.close()

    def _piece(self, table: str, number: int, lines: bytearray) -> None:
        packed = gzip.compress(lines, _LEVEL, mtime=0)
        self._add(f"{ROWS}{table}/{number:06d}.gz", packed)

    def _add(self, name: str, content: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o600
        self._tar.addfile(info, io.BytesIO(content))
        if name != MANIFEST and not name.startswith(HASHES):
            self._note(name, len(content), sha256(content))

    def _note(self, name: str, size: int, digest: str) -> None:
        self._tar.members.clear()  # type: ignore[attr-defined]  # or it remembers each of them
        self._members.append([name, size, digest])
        if len(self._members) >= _LISTED:
            self._list()

    def _list(self) -> None:
        members, self._members = self._members, []
        self._add(f"{HASHES}{self._lists:06d}.json", json.dumps(members))
        self._lists += 1


class Hashing:
    """A file that is hashed while it is read, up to a size that was told before."""

    def __init__(self, file: Readable, size: int) -> None:
        self.size = size
        self._file = file
        self._left = size
        self._hash = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Return at most *size* bytes; none at the end."""
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        self._hash.update(data)
        return data

    @property
    def hex(self) -> str:
        """The SHA-256 of what was read."""
        return self._hash.hexdigest()


def sha256(content: bytes) -> str:
    """Return the SHA-256 of *content*."""
    return hashlib.sha256(content).hexdigest()
