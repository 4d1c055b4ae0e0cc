"""An archive says what it is, is read back as it was written, and is believed only when it is whole."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.moving.archive import Writer
from backend.adapters.moving.archive_reader import Visitor, verify, walk
from backend.adapters.moving.rows import Kind, Shape
from backend.core.errors import BadRequest

SHAPE = Shape("things", (("id", Kind.INTEGER), ("text", Kind.TEXT)))
ROWS = [(number, f"thing {number} " + "ü" * 500) for number in range(9_000)]


def silent(_: str) -> None:
    """Say nothing."""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "a.tar"
    with path.open("w+b") as file:
        writer = Writer(file, {"step": "0029", "made_us": 1})
        writer.rows(SHAPE, ROWS)
        writer.file("files/run/a", io.BytesIO(b"content"), 7)
        writer.link("files/run/b", "files/run/a")
        writer.keys("keys/jwt.key", b"key")
        writer.close()
    return path


def test_what_was_written_is_read(archive: Path) -> None:
    found: list[Any] = []
    lines: list[bytes] = []

    manifest = walk(
        archive,
        Visitor(
            rows=lambda _, some: lines.extend(some),
            file=lambda name, source: found.append((name, source.read(100))),
            link=lambda name, to: found.append((name, to)),
            key=lambda name, content: found.append((name, content)),
        ),
    )

    assert found == [
        ("files/run/a", b"content"),
        ("files/run/b", "files/run/a"),
        ("keys/jwt.key", b"key"),
    ]
    assert len(lines) == len(ROWS)
    assert (manifest.step, manifest.rows, manifest.files) == ("0029", len(ROWS), 2)
    assert manifest.shapes == [SHAPE]
    assert manifest.has_keys


def test_a_table_is_written_in_pieces(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        pieces = [name for name in tar.getnames() if name.startswith("rows/things/")]

    assert len(pieces) > 1


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_cut_archive_is_refused(archive: Path, share: float) -> None:
    content = archive.read_bytes().rstrip(b"\0")
    archive.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(BadRequest, match=r"is cut|no backup of agpt"):
        verify(archive, silent)


def test_a_cut_between_members_is_refused(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        ends = [info.offset for info in tar.getmembers()]
    content = archive.read_bytes()

    for end in ends[1:]:
        archive.write_bytes(content[:end])
        with pytest.raises(BadRequest, match=r"is cut|no backup of agpt"):
            verify(archive, silent)


def test_a_changed_byte_is_found_wherever_it_is(archive: Path) -> None:
    content = archive.read_bytes()
    with tarfile.open(archive) as tar:
        places = [info.offset_data + info.size // 2 for info in tar.getmembers() if info.size]

    for place in places:
        changed = bytearray(content)
        changed[place] ^= 0x01
        archive.write_bytes(changed)
        with pytest.raises(BadRequest, match=str(archive)):
            verify(archive, silent)


def test_what_is_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(b"this is a shopping list" * 1_000)
    with pytest.raises(BadRequest, match="is no backup of agpt"):
        verify(path, silent)

    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("something"), io.BytesIO())
    with pytest.raises(BadRequest, match="is no backup of agpt"):
        verify(path, silent)


def test_a_format_of_the_future_is_named(archive: Path) -> None:
    _rewritten(archive, lambda _, content: content.replace(b'"format":1', b'"format":2'))

    with pytest.raises(BadRequest, match="is of format 2; this agpt knows 1"):
        verify(archive, silent)


@pytest.mark.parametrize(
    "name",
    ["files/../../x", "/etc/passwd", "config.json", "files//x", "logs/x", "files/./x", "files"],
)
def test_a_file_goes_nowhere_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.tar"
    with path.open("w+b") as file:
        writer = Writer(file, {"step": "0029"})
        writer.file(name, io.BytesIO(b"x"), 1)
        writer.close()

    with pytest.raises(BadRequest, match="may not be in one"):
        verify(path, silent)


def test_a_link_out_of_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with path.open("w+b") as file:
        writer = Writer(file, {"step": "0029"})
        writer.link("files/run/b", "../../secret")
        writer.close()

    with pytest.raises(BadRequest, match="may not be in one"):
        verify(path, silent)


def _rewritten(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    with tarfile.open(path) as tar:
        members = [(info, tar.extractfile(info)) for info in tar.getmembers()]
        contents = [(info, found.read() if found else b"") for info, found in members]
    with tarfile.open(path, "w") as tar:
        for info, content in contents:
            changed = change(info.name, content)
            info.size = len(changed) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(changed))
