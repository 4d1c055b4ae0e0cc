"""Reads an archive, see archive.py, and believes none of it before its hashes are right."""

import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

from backend.adapters.moving.archive import (
    FORMAT,
    HASHES,
    HEADER,
    MANIFEST,
    NAME,
    ROWS,
    TOPS,
    Hashing,
    Manifest,
    sha256,
)
from backend.adapters.moving.rows import Sum, shape_from_json
from backend.core import json
from backend.core.errors import BadRequest

#: No member of ours that is read at once is longer, and no piece of rows: a row may be of many values.
_MOST_BYTES: Final = 512 * 1024 * 1024
_MOST_ROWS: Final = 2 * 1024 * 1024 * 1024 - 1
_COPIED: Final = 1024 * 1024


def verify(path: Path, say: Callable[[str], None]) -> Manifest:
    """
    Read all of the archive at *path*, and return what it says of itself, which is true then.

    Raises:
        BadRequest: See `walk`; and if rows are not those that it says.
    """
    sums: dict[str, Sum] = {}

    def count(table: str, lines: list[bytes]) -> None:
        total = sums.setdefault(table, Sum())
        for line in lines:
            total.add(line)
        say(f"reading the archive: {sum(one.count for one in sums.values()):,} rows")

    manifest = walk(path, Visitor(rows=count))
    for name, told in manifest.sums.items():
        found = sums.pop(name, Sum())
        if (found.count, found.hex) != told:
            raise BadRequest(f"{path} is damaged: the rows of {name} are not what was written.")
    if sums:
        raise BadRequest(f"{path} is damaged: it does not say what {min(sums)} holds.")
    return manifest


@dataclass(kw_only=True)
class Visitor:
    """
    What is done with the members of an archive, in their order.

    Attributes:
        rows: Is given a table's name and lines.
        file: Is given a name and what is read from, which it must read to its end; it knows its size.
        link: Is given a name and the one that it stands for.
        key: Is given a name and the content.
    """

    rows: Callable[[str, list[bytes]], None] = lambda _name, _lines: None
    file: Callable[[str, Any], None] = lambda _name, source: _drain(source)
    link: Callable[[str, str], None] = lambda _name, _to: None
    key: Callable[[str, bytes], None] = lambda _name, _content: None


def walk(path: Path, visitor: Visitor) -> Manifest:
    """
    Read the archive at *path* from its beginning to its end, and check every member.

    What *visitor* was given is right only when this has returned.

    Raises:
        BadRequest: If it is no archive, is cut or damaged, or of a format of the future.
    """
    try:
        with path.open("rb") as file, _reading(file) as tar:
            return _walked(path, tar, visitor)
    except (tarfile.TarError, EOFError, zlib.error) as exc:
        raise BadRequest(f"{path} is cut or damaged: {exc}.") from exc


@contextmanager
def _reading(file: BinaryIO) -> Iterator[tarfile.TarFile]:
    try:
        tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 -- closed below
    except tarfile.TarError as exc:
        raise BadRequest(f"{file.name} is no backup of agpt: {exc}.") from exc
    try:
        yield tar
    finally:
        tar.close()


def _walked(path: Path, tar: tarfile.TarFile, visitor: Visitor) -> Manifest:
    header: dict[str, Any] | None = None
    noted: list[list[Any]] = []
    lists = files = 0
    while (info := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]  # or it remembers each of them
        name = info.name
        if header is None:
            content = _content(tar, info, path)
            header = _header(path, info, content)
            noted.append([name, info.size, sha256(content)])
        elif name == MANIFEST:
            if noted:
                raise BadRequest(f"{path} is damaged: some of it is not in its lists.")
            return _manifest(path, _content(tar, info, path), header, lists, files)
        elif name.startswith(HASHES):
            _check(path, noted, _content(tar, info, path))
            noted, lists = [], lists + 1
        else:
            noted.append(_visit(path, tar, info, visitor))
            files += not name.startswith((ROWS, "keys/"))
    if header is None:
        raise BadRequest(f"{path} is no backup of agpt.")
    raise BadRequest(f"{path} is cut: its end is not there.")


def _visit(path: Path, tar: tarfile.TarFile, info: tarfile.TarInfo, visitor: Visitor) -> list[Any]:
    """Hand one member on; return its name, size and hash."""
    name = info.name
    if info.islnk():
        visitor.link(_safe(path, name), _safe(path, info.linkname))
        return [name, 0, info.linkname]
    if name.startswith(ROWS):
        content = _content(tar, info, path)
        visitor.rows(name.split("/")[1], _lines(path, content))
        return [name, info.size, sha256(content)]
    if name.startswith("keys/"):
        content = _content(tar, info, path)
        visitor.key(_safe(path, name), content)
        return [name, info.size, sha256(content)]
    source = Hashing(_opened(tar, info, path), info.size)
    visitor.file(_safe(path, name), source)
    return [name, info.size, source.hex]


def _opened(tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> IO[bytes]:
    found = tar.extractfile(info) if info.isreg() else None
    if found is None:
        raise BadRequest(f"{path} is no backup of agpt: {info.name[:80]!r} is no file.")
    return found


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> bytes:
    if info.size > _MOST_BYTES:
        raise BadRequest(f"{path} is damaged: {info.name[:80]!r} is too long.")
    content = _opened(tar, info, path).read()
    if len(content) != info.size:
        raise BadRequest(f"{path} is cut: its end is not there.")
    return content


def _lines(path: Path, content: bytes) -> list[bytes]:
    unpacker = zlib.decompressobj(wbits=31)
    text = unpacker.decompress(content, _MOST_ROWS)
    if not unpacker.eof:
        raise BadRequest(f"{path} is damaged: rows of it are not whole.")
    return text.split(b"\n")


def _header(path: Path, info: tarfile.TarInfo, content: bytes) -> dict[str, Any]:
    found = _json(path, content) if info.name == HEADER else None
    if not isinstance(found, dict) or found.get("kind") != NAME:
        raise BadRequest(f"{path} is no backup of agpt.")
    if found.get("format") != FORMAT:
        raise BadRequest(
            f"{path} is of format {found.get('format')}; this agpt knows {FORMAT}: install a newer one."
        )
    if not isinstance(found.get("step"), str):
        raise BadRequest(f"{path} is damaged: it does not say at which step it is.")
    return found


def _manifest(
    path: Path, content: bytes, header: dict[str, Any], lists: int, files: int
) -> Manifest:
    told = _json(path, content)
    digest = told.pop("sha256", "") if isinstance(told, dict) else ""
    if digest != sha256(json.dumps(told)) or (told["lists"], told["files"]) != (lists, files):
        raise BadRequest(f"{path} is damaged: its manifest is not what was written.")
    try:
        tables = told["tables"]
        shapes = [shape_from_json(name, table["columns"]) for name, table in tables.items()]
    except (KeyError, TypeError, ValueError) as exc:
        raise BadRequest(f"{path} is damaged: its manifest cannot be read.") from exc
    return Manifest(
        header=header,
        shapes=shapes,
        sums={name: (table["rows"], table["sum"]) for name, table in tables.items()},
        files=told["files"],
        file_bytes=told["file_bytes"],
        has_keys=told["has_keys"],
    )


def _check(path: Path, noted: list[list[Any]], content: bytes) -> None:
    told = _json(path, content)
    if told == noted:
        return
    known = {entry[0]: entry for entry in told} if isinstance(told, list) else {}
    wrong = next((entry[0] for entry in noted if known.get(entry[0]) != entry), "a list")
    raise BadRequest(f"{path} is damaged: {wrong} is not what was written.")


def _json(path: Path, content: bytes) -> Any:
    try:
        return json.loads(content)
    except json.NotJson as exc:
        raise BadRequest(f"{path} is damaged: {exc}.") from exc


def _safe(path: Path, name: str) -> str:
    """Return *name* if it can only be a place below the data directory."""
    parts = name.split("/")
    if len(parts) == 1 or parts[0] not in TOPS or {"", ".", ".."} & set(parts) or "\0" in name:
        raise BadRequest(f"{path} is no backup of agpt: {name[:80]!r} may not be in one.")
    return name


def _drain(source: Any) -> None:
    while source.read(_COPIED):
        pass
