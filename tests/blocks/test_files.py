"""Blocks that read files: texts in parts, tables from CSV and workbooks, and what is refused."""

import base64
import codecs
import csv
import random
import tracemalloc
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped] # it has no types
import psutil
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backend.adapters.files import FolderFiles
from backend.blocks.files.file_read import FileReadBlock
from backend.blocks.files.file_store import FileStoreBlock
from backend.blocks.files.read_spreadsheet import ReadSpreadsheetBlock
from backend.core.errors import BlockError
from backend.ports.web import WebDownload, WebLimits
from backend.sdk.files import FileDesk
from backend.testing.blocks import CONTEXT, outputs_of

MEGABYTE = 1024 * 1024


def source_of(content: bytes, media_type: str = "text/plain") -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


async def parts_of(content: bytes, **inputs: Any) -> list[str]:
    outputs = await outputs_of(FileReadBlock(), {"file_input": source_of(content), **inputs})
    return [value for _, value in outputs]


async def rows_of(content: bytes, **inputs: Any) -> Any:
    [(_, rows)] = await outputs_of(
        ReadSpreadsheetBlock(), {"file_input": source_of(content), **inputs}
    )
    return rows


def whole(text: str, delimiter: str, sizes: tuple[int, int, int, int]) -> list[str]:
    """Read *text* as the spec has it, all at once (spec/semantics.md 6.6)."""
    skip_size, skip_rows, row_limit, size_limit = sizes
    text = text[skip_size:]
    rows = text.split(delimiter) if delimiter else [text]
    rows = rows[skip_rows:]
    if not rows:
        return [""]
    text = delimiter.join(rows[:row_limit] if row_limit else rows)
    size = size_limit or max(1, len(text))
    return [text[start : start + size] for start in range(0, len(text), size)]


SMALL = st.integers(0, 4)
#: With many delimiters, whole and broken ones.
TEXTS = st.lists(st.sampled_from(["a", "b", ",", ";", ",;", ",;", "aa", "é", "€"]), max_size=20)


@example(text="a,;b,;c", delimiter=",;", sizes=(0, 1, 0, 0), piece=1)
@given(
    text=TEXTS.map("".join),
    delimiter=st.sampled_from(["", ",", ",;", ",;", "aa", "€"]),
    sizes=st.tuples(SMALL, SMALL, SMALL, SMALL),
    piece=st.integers(1, 5),
)
async def test_a_text_in_pieces_is_read_like_a_whole_one(
    text: str, delimiter: str, sizes: tuple[int, int, int, int], piece: int
) -> None:
    skip_size, skip_rows, row_limit, size_limit = sizes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backend.sdk.files.PIECE_BYTES", piece)

        parts = await parts_of(
            text.encode(),
            delimiter=delimiter,
            skip_size=skip_size,
            skip_rows=skip_rows,
            row_limit=row_limit,
            size_limit=size_limit,
        )

    assert parts == whole(text, delimiter, sizes)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("größer €".encode(), "größer €"),
        ("größer".encode("latin-1"), "größer"),
        ("€".encode()[:2], "â\x82"),
        ("größer".encode("utf-8-sig"), "größer"),
        (codecs.BOM_UTF16_LE + "größer".encode("utf-16-le"), "größer"),
        (codecs.BOM_UTF16_BE + "größer".encode("utf-16-be"), "größer"),
    ],
)
async def test_the_encoding_is_found(content: bytes, text: str) -> None:
    assert await parts_of(content) == [text]


async def test_a_text_too_long_for_one_output_wants_parts() -> None:
    content = b"x" * (5 * MEGABYTE)

    with pytest.raises(BlockError, match="set size_limit"):
        await parts_of(content)

    assert [len(part) for part in await parts_of(content, size_limit=3_000_000)] == [
        3_000_000,
        2_242_880,
    ]


def workbook(*rows: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    content = BytesIO()
    book.save(content)
    return content.getvalue()


async def test_a_workbook_is_read_as_text() -> None:
    content = workbook(
        ["name", "n", "at", None],
        [" Ann ", 7, datetime(2026, 1, 31, 13, 37), True],  # noqa: DTZ001 - Excel knows no zones
        [None, None, None, None],
        ["Bob", 1.5, None, "x"],
    )

    assert await rows_of(content) == [
        {"name": "Ann", "n": "7", "at": "2026-01-31 13:37:00", "": "True"},
        {"name": "Bob", "n": "1.5", "at": "", "": "x"},
    ]
    assert await rows_of(content, skip_columns=["n", "at", "3"], skip_rows=1) == [{"name": "Bob"}]


@pytest.mark.parametrize(
    ("names", "left"),
    [
        (["a"], {"1": "y", "c": "z"}),
        (["0"], {"1": "y", "c": "z"}),
        (["1"], {"a": "x", "c": "z"}),  # a column is called so
        (["2", "nobody", "99"], {"a": "x", "1": "y"}),
    ],
)
async def test_columns_are_left_out_by_name_or_number(
    names: list[str], left: dict[str, str]
) -> None:
    assert await rows_of(b"a,1,c\nx,y,z", skip_columns=names) == [left]


async def test_a_row_longer_than_the_header_keeps_its_cells_by_number() -> None:
    assert await rows_of(b"a\n1,2,3\n") == [{"a": "1", "1": "2", "2": "3"}]


@given(
    st.lists(
        st.lists(st.text(' ab,"\\\n\r€', max_size=5), min_size=2, max_size=2),
        min_size=1,
        max_size=8,
    )
)
async def test_what_the_csv_library_writes_is_read_back(rows: list[list[str]]) -> None:
    text = StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)

    read = await rows_of(text.getvalue().encode(), has_header=False, strip=False, escapechar="")

    assert read == [{"0": first, "1": second} for first, second in rows]


def zipped(**parts: bytes) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name.replace("__", "/"), part)
    return content.getvalue()


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xd0\xcf\x11\xe0" + b"x" * 600, "save it as .xlsx or CSV"),
        (b"PK\x03\x04" + b"x" * 600, "cannot be unpacked"),
        (zipped(a=b"no workbook"), "damaged, or no .xlsx"),
        (zipped(xl__worksheets__a=bytes(20 * MEGABYTE)), "compressed more than 200 times"),
        (zipped(**{"xl__sharedStrings.xml": BOMB}), "document type"),
        (zipped(**{"xl__a.xml": b"<!--" + b" " * 9000 + b"-->" + BOMB}), "document type"),
        (zipped(**{"xl__a.xml": b"no xml"}), "is no XML"),
    ],
    ids=["old", "broken", "empty", "bomb", "entities", "late entities", "no xml"],
)
async def test_what_is_no_honest_workbook_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(BlockError, match=words):
        await rows_of(content)


async def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    content = zipped(xl__worksheets__a=bytes(200 * MEGABYTE))
    tracemalloc.start()
    try:
        with pytest.raises(BlockError, match="compressed more"):
            await rows_of(content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 * MEGABYTE


async def test_a_table_too_large_for_one_list_wants_single_rows() -> None:
    content = b"a\n" + b"x" * 1000 + b"\n"
    content += (b"y" * 1000 + b"\n") * 9000

    with pytest.raises(BlockError, match="set produce_singular_result"):
        await rows_of(content)

    outputs = await outputs_of(
        ReadSpreadsheetBlock(),
        {"file_input": source_of(content), "produce_singular_result": True},
    )
    assert len(outputs) == 9001


async def test_a_cell_over_the_libraries_limit_is_told() -> None:
    with pytest.raises(BlockError, match="field larger than field limit"):
        await rows_of(b"a\n" + b"x" * 200_000)


class LargeFile:
    """A web server with one large file, that looks at the memory while it is fetched."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.rss_bytes: list[int] = []

    @asynccontextmanager
    async def download(
        self, url: str, *, limits: WebLimits | None = None
    ) -> AsyncIterator[WebDownload]:
        assert limits is not None
        yield WebDownload(status=200, media_type="", url=url, pieces=self._pieces())

    async def _pieces(self) -> AsyncIterator[bytes]:
        process = psutil.Process()
        for _ in range(self.size_bytes // 65_536):
            self.rss_bytes.append(process.memory_info().rss)
            yield random.randbytes(65_536)


@pytest.mark.slow
async def test_a_large_file_is_kept_and_read_in_little_memory(tmp_path: Path) -> None:
    web = LargeFile(64 * MEGABYTE)
    desk = FileDesk(FolderFiles(tmp_path, durable=False), web)
    context = replace(CONTEXT, files=desk)
    await outputs_of(FileStoreBlock(), {"file_in": "data:,warm"}, context)

    [(_, reference)] = await outputs_of(
        FileStoreBlock(), {"file_in": "https://example.com/large"}, context
    )
    web.rss_bytes.append(psutil.Process().memory_info().rss)

    inputs = {"file_input": reference, "size_limit": 1000, "delimiter": "\0", "row_limit": 1000}
    await outputs_of(FileReadBlock(), {**inputs, "skip_rows": 200_000}, context)
    web.rss_bytes.append(psutil.Process().memory_info().rss)
    assert max(web.rss_bytes) - web.rss_bytes[0] < 16 * MEGABYTE
