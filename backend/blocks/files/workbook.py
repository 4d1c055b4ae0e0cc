"""Reads the cells of an Excel workbook (.xlsx) as text, row by row; refuses what only bombs are."""

import zipfile
from collections.abc import Iterator
from importlib import import_module
from typing import Any, BinaryIO, Final
from xml.parsers import expat

from backend.sdk import TooLarge

_ZIP: Final = b"PK\x03\x04"
_MEGABYTE: Final = 1024 * 1024
#: Unpacked: of all parts; and of those that are held in memory as a whole (the shared texts).
_MOST_BYTES: Final = 256 * _MEGABYTE
_MOST_HELD_BYTES: Final = 48 * _MEGABYTE
_MOST_PARTS: Final = 5000
_MOST_RATIO: Final = 200
_RATIO_FREE_BYTES: Final = _MEGABYTE
_SHEETS: Final = "xl/worksheets/"
_PIECE: Final = 4096


def is_workbook(head: bytes) -> bool:
    """Say whether a file that begins with *head* may be a workbook."""
    return head == _ZIP


def cells_of(content: BinaryIO) -> Iterator[list[str]]:
    """
    Yield the rows of the first sheet; empty cells are empty texts, and empty rows empty lists.

    Blocks, and imports a large library: call it in a thread.

    Raises:
        ValueError: If it is no workbook.
        TooLarge: If it unpacks to more than a limit.
    """
    try:
        with zipfile.ZipFile(content) as parts:
            _check(parts)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as exc:
        raise ValueError("the workbook cannot be unpacked") from exc
    content.seek(0)
    return _rows(content)


def _rows(content: BinaryIO) -> Iterator[list[str]]:
    openpyxl: Any = import_module("openpyxl")  # slow to import, and rarely needed
    try:
        book = openpyxl.load_workbook(content, read_only=True, data_only=True, keep_links=False)
        sheets = book.worksheets
        for row in sheets[0].iter_rows(values_only=True) if sheets else ():
            cells = [_text(cell) for cell in row]
            yield cells if any(cells) else []
    except (KeyError, IndexError, TypeError, SyntaxError, zipfile.BadZipFile, EOFError) as exc:
        # A ParseError of XML is a SyntaxError.
        raise ValueError("the workbook cannot be read: it is damaged, or no .xlsx") from exc


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)


def _check(parts: zipfile.ZipFile) -> None:
    infos = parts.infolist()
    if len(infos) > _MOST_PARTS:
        raise TooLarge(f"the workbook has more than {_MOST_PARTS} parts")
    total = held = 0
    for info in infos:
        if info.flag_bits & 1:
            raise ValueError("the workbook is locked with a password")
        total += info.file_size
        held += 0 if info.filename.startswith(_SHEETS) else info.file_size
        ratio_bytes = info.compress_size * _MOST_RATIO
        if info.file_size > _RATIO_FREE_BYTES and info.file_size > ratio_bytes:
            raise TooLarge(f"the workbook is compressed more than {_MOST_RATIO} times")
    if total > _MOST_BYTES or held > _MOST_HELD_BYTES:
        raise TooLarge(f"the workbook unpacks to more than {_MOST_BYTES // _MEGABYTE} MB")
    for info in infos:
        if info.filename.endswith((".xml", ".rels")):
            _refuse_entities(parts, info)


def _refuse_entities(parts: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Read up to the first element: what declares entities of its own is no workbook."""
    parser = expat.ParserCreate()
    has_begun = False

    def begin(*_: object) -> None:
        nonlocal has_begun
        has_begun = True

    def refuse(*_: object) -> None:
        raise ValueError("the workbook declares a document type, which no workbook does")

    parser.StartElementHandler = begin
    parser.StartDoctypeDeclHandler = refuse
    with parts.open(info) as part:
        while not has_begun and (piece := part.read(_PIECE)):
            try:
                parser.Parse(piece)
            except expat.ExpatError as exc:
                raise ValueError(f"{info.filename} of the workbook is no XML") from exc
