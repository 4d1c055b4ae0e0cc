"""ReadSpreadsheet: the rows of a table, from CSV text, a CSV file or an Excel workbook (.xlsx)."""

import csv
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from io import StringIO, TextIOWrapper
from itertools import islice
from typing import Any, Final, TypeAlias

from backend.blocks.files import workbook
from backend.sdk import Block, BlockContext, Category, Effect, Example, TooLarge, pin, pins
from backend.sdk.files import OpenFile

Cells: TypeAlias = Sequence[str]
Row: TypeAlias = dict[str, str]

#: Rows that are read in one go, in a thread.
_AT_ONCE: Final = 500
#: Of all rows together, when they go out as one list.
_MOST_CHARACTERS: Final = 8 * 1024 * 1024
_OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0"
_TABLE: Final = "name, age\nAnn, 7\n\nBob, 8"


@pins
class _Input:
    """Input pins."""

    contents: str | None = pin(default=None, advanced=False, description="The table, as CSV text.")
    file_input: str | None = pin(
        default=None,
        advanced=False,
        description="The table, as a CSV or .xlsx file; used instead of the text.",
        schema={"anyOf": [{"type": "string", "format": "file"}, {"type": "null"}]},
    )
    delimiter: str = pin(default=",", description="Stands between two cells.")
    quotechar: str = pin(default='"', description="Stands around a cell; empty: nothing does.")
    escapechar: str = pin(default="\\", description="Takes a mark's meaning away; may be empty.")
    has_header: bool = pin(default=True, description="The first row names the columns.")
    skip_rows: int = pin(default=0, description="Rows to leave out, after the header.")
    strip: bool = pin(default=True, description="Cells lose the blanks around them.")
    skip_columns: list[str] = pin(
        default_factory=list, description="Columns to leave out: names, or numbers from 0."
    )
    produce_singular_result: bool = pin(
        default=False, description="Hand on each row alone, instead of all in one list."
    )


class ReadSpreadsheetBlock(Block):
    """Reads a table and hands on its rows: column to cell, both text."""

    id = "acf7625e-d2cb-4941-bfeb-2819fc6fc015"
    categories = (Category.TEXT, Category.DATA)
    effect = Effect.IDEMPOTENT
    examples = (
        Example(
            inputs={"contents": _TABLE},
            outputs=[("rows", [{"name": "Ann", "age": "7"}, {"name": "Bob", "age": "8"}])],
        ),
        Example(
            inputs={"contents": _TABLE, "produce_singular_result": True},
            outputs=[("row", {"name": "Ann", "age": "7"}), ("row", {"name": "Bob", "age": "8"})],
        ),
        Example(
            inputs={"contents": _TABLE, "skip_columns": ["age"], "skip_rows": 1},
            outputs=[("rows", [{"name": "Bob"}])],
        ),
        Example(
            inputs={"contents": "1;'2;3'", "delimiter": ";", "quotechar": "'", "has_header": False},
            outputs=[("rows", [{"0": "1", "1": "2;3"}])],
        ),
        Example(inputs={"file_input": "data:,a%0A%E9"}, outputs=[("rows", [{"a": "é"}])]),
        Example(inputs={}, error="give contents or file_input"),
        Example(inputs={"contents": "a", "delimiter": "||"}, error="one character"),
    )

    Input = _Input

    @pins
    class Output:
        """Output pins."""

        row: dict[str, str] = pin(description="One row.")
        rows: list[dict[str, str]] = pin(description="All rows.")

    async def run(self, inputs: _Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the rows: each alone, or all of them."""
        rows: list[Row] = []
        length = 0
        async with _table(inputs, context) as table:
            while some := await context.to_thread(_some, table):
                if inputs.produce_singular_result:
                    for row in some:
                        yield "row", row
                    continue
                rows += some
                length += sum(len(name) + len(cell) for row in some for name, cell in row.items())
                _check(length)
        if not inputs.produce_singular_result:
            yield "rows", rows


def _some(table: Iterator[Row]) -> list[Row]:
    try:
        return list(islice(table, _AT_ONCE))
    except csv.Error as exc:
        raise ValueError(f"the table cannot be read: {exc}") from exc


def _check(length: int) -> None:
    if length > _MOST_CHARACTERS:
        raise TooLarge(
            f"the rows are longer than {_MOST_CHARACTERS} characters, too long for one list: set "
            "produce_singular_result to get each alone"
        )


@asynccontextmanager
async def _table(inputs: _Input, context: BlockContext) -> AsyncIterator[Iterator[Row]]:
    """Open the table; its rows are read, and may block, as they are asked for."""
    dialect = _dialect(inputs)
    if inputs.file_input:
        async with context.run_files().open(inputs.file_input) as file:
            cells = await context.to_thread(_cells_of_file, file, dialect)
            yield _rows(cells, inputs)
    elif inputs.contents is not None:
        yield _rows(csv.reader(StringIO(inputs.contents, newline=""), **dialect), inputs)
    else:
        raise ValueError("there is no table: give contents or file_input")


def _dialect(inputs: _Input) -> dict[str, Any]:
    marks = {name: getattr(inputs, name) for name in ("delimiter", "quotechar", "escapechar")}
    for name, mark in marks.items():
        if len(mark) > 1 or (name == "delimiter" and not mark) or mark in ("\r", "\n"):
            raise ValueError(f"{name} must be one character, not {mark!r}")
    quoting = csv.QUOTE_MINIMAL if inputs.quotechar else csv.QUOTE_NONE
    return {"quoting": quoting, **{name: mark or None for name, mark in marks.items()}}


def _cells_of_file(file: OpenFile, dialect: dict[str, Any]) -> Iterator[Cells]:
    head = file.content.read(4)
    file.content.seek(0)
    if head == _OLD_EXCEL:
        raise ValueError("this is an old Excel workbook (.xls): save it as .xlsx or CSV")
    if workbook.is_workbook(head):
        return workbook.cells_of(file.content)
    encoding = _encoding_of(file)
    return csv.reader(TextIOWrapper(file.content, encoding, newline=""), **dialect)


def _encoding_of(file: OpenFile) -> str:
    """Return UTF-8, which may have a mark, if all of the file is that, else Latin-1."""
    text = TextIOWrapper(file.content, "utf-8-sig", newline="")
    try:
        while text.read(_READ_CHARACTERS):
            pass
    except UnicodeDecodeError:
        return "latin-1"
    finally:
        text.detach()
        file.content.seek(0)
    return "utf-8-sig"


_READ_CHARACTERS: Final = 256 * 1024


def _rows(cells: Iterator[Cells], inputs: _Input) -> Iterator[Row]:
    clean: Callable[[str], str] = str.strip if inputs.strip else str
    filled = (row for row in cells if row)
    header = [clean(cell) for cell in next(filled, ())] if inputs.has_header else []
    skipped = _skipped(header, inputs.skip_columns)
    for row in islice(filled, max(0, inputs.skip_rows), None):
        yield {
            header[column] if column < len(header) else str(column): clean(cell)
            for column, cell in enumerate(row)
            if column not in skipped
        }


def _skipped(header: Sequence[str], names: Sequence[str]) -> frozenset[int]:
    """Return the columns that *names* tell; a number is one only if no column is called so."""
    by_name = {column for column, name in enumerate(header) if name in names}
    by_number = {int(name) for name in names if name not in header and name.isdecimal()}
    return frozenset(by_name | by_number)
