"""Google Sheets: what a sheet holds, as rows, columns, counts and CSV."""

import csv
import io
from collections import Counter
from typing import Any

from backend.blocks.google.sheets import (
    BOOK,
    SHOWN,
    Book,
    BookInput,
    BookOutput,
    OfSheet,
    SheetsBase,
    by_title,
    cell_at,
    column_of,
)
from backend.sdk import Effect, Example, pin, pins


class ReadingBase(SheetsBase):
    """A block that only looks."""

    effect = Effect.READ
    retries = 2


class GoogleSheetsReadBlock(ReadingBase):
    """Reads a range of cells in Google Sheets, row by row."""

    id = "5724e902-3635-47e9-a108-aaa0263a4988"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "range": "People!A1:B2"},
            outputs=[("result", [["Name", "Age"], ["Ann", "30"]]), ("spreadsheet", SHOWN)],
        ),
        Example(inputs={"range": "A1"}, error="no file is chosen in 'spreadsheet'"),
        Example(
            inputs={"spreadsheet": {"id": "book", "name": "Book"}, "range": "A1"},
            error="Authentication missing for 'Book' in field 'spreadsheet'",
        ),
        Example(
            inputs={"spreadsheet": BOOK, "range": "Nowhere!A1"},
            error="status 400: Unable to parse range: Nowhere!A1",
        ),
    )

    @pins
    class Input(BookInput):
        """Input pins."""

        range: str = pin(description="The cells, such as People!A1:C10.")

    @pins
    class Output(BookOutput):
        """Output pins."""

        result: list[list[str]] = pin(description="The rows.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Read them."""
        return {"result": await book.values(inputs.range)}


class GoogleSheetsGetRowBlock(ReadingBase):
    """Reads one row of a sheet in Google Sheets, also by the titles of its columns."""

    id = "c4be9390-2431-4682-9769-7025b22a5fa7"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "row_index": 2},
            outputs=[
                ("row", ["Ann", "30", "Oslo"]),
                ("row_dict", {"Name": "Ann", "Age": "30", "City": "Oslo"}),
                ("spreadsheet", SHOWN),
            ],
        ),
        Example(inputs={"spreadsheet": BOOK, "row_index": 0}, error="rows are counted from 1"),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        row_index: int = pin(description="The row, counted from 1.")

    @pins
    class Output(BookOutput):
        """Output pins."""

        row: list[str] = pin(description="Its values.")
        row_dict: dict[str, str] = pin(description="Its values by title.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Read it, and the titles."""
        if inputs.row_index < 1:
            raise ValueError("rows are counted from 1")
        sheet = await book.sheet(inputs.sheet_name)
        header = (await book.values(sheet.at("1:1")) or [[]])[0]
        place = sheet.at(f"{inputs.row_index}:{inputs.row_index}")
        row = (await book.values(place) or [[]])[0]
        return {"row": row, "row_dict": by_title(header, row)}


class GoogleSheetsGetColumnBlock(ReadingBase):
    """Reads one column of a sheet in Google Sheets."""

    id = "108d911f-e109-47fb-addc-2259792ee850"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "column": "age", "skip_empty": True},
            outputs=[
                ("values", ["30", "40", "30"]),
                ("count", 3),
                ("column_index", 1),
                ("spreadsheet", SHOWN),
            ],
        ),
        Example(inputs={"spreadsheet": BOOK, "column": "Shoe size"}, error="no column 'Shoe size'"),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        column: str = pin(description="Its title or its letter.")
        include_header: bool = pin(default=False, description="Its title stands first.")
        skip_empty: bool = pin(default=False, description="Leave out what is empty.")

    @pins
    class Output(BookOutput):
        """Output pins."""

        values: list[str] = pin(description="What is in it.")
        count: int = pin(description="How many values that are.")
        column_index: int = pin(description="Its place, counted from 0.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Read it."""
        sheet = await book.sheet(inputs.sheet_name)
        rows = await book.values(sheet.at())
        index = column_of(rows[0] if rows else [], inputs.column)
        first = 0 if inputs.include_header else 1
        values = [cell_at(row, index) for row in rows[first:]]
        if inputs.skip_empty:
            values = [value for value in values if value.strip()]
        return {"values": values, "count": len(values), "column_index": index}


class GoogleSheetsGetRowCountBlock(ReadingBase):
    """Counts the rows and columns of a sheet in Google Sheets."""

    id = "080cc84b-a94a-4fb4-90e3-dcc55ee783af"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK},
            outputs=[
                ("total_rows", 4),
                ("data_rows", 3),
                ("last_row", 5),
                ("column_count", 3),
                ("spreadsheet", SHOWN),
            ],
        ),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        include_header: bool = pin(default=True, description="The titles count as a row.")
        count_empty: bool = pin(default=False, description="Rows without values count, too.")

    @pins
    class Output(BookOutput):
        """Output pins."""

        total_rows: int = pin(description="How many rows there are.")
        data_rows: int = pin(description="How many of them are below the titles.")
        last_row: int = pin(description="The last row with a value, counted from 1.")
        column_count: int = pin(description="How many columns have values.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Count them."""
        sheet = await book.sheet(inputs.sheet_name)
        rows = await book.values(sheet.at())
        counted = rows if inputs.count_empty else [row for row in rows if any(map(str.strip, row))]
        data = max(0, len(counted) - 1)
        return {
            "total_rows": len(counted) if inputs.include_header else data,
            "data_rows": data,
            "last_row": len(rows),
            "column_count": max(map(len, rows), default=0),
        }


class GoogleSheetsGetUniqueValuesBlock(ReadingBase):
    """Finds the different values in a column of a sheet in Google Sheets."""

    id = "0f296c0b-6b6e-4280-b96e-ae1459b98dff"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "column": "B", "include_count": True},
            outputs=[
                ("values", ["30", "40"]),
                ("counts", {"30": 2, "40": 1}),
                ("total_unique", 2),
                ("spreadsheet", SHOWN),
            ],
        ),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        column: str = pin(description="Its title or its letter.")
        include_count: bool = pin(default=False, description="Tell how often each value is there.")
        sort_by_count: bool = pin(default=False, description="The most frequent first.")

    @pins
    class Output(BookOutput):
        """Output pins."""

        values: list[str] = pin(description="Each value once.")
        counts: dict[str, int] = pin(description="How often it is there.")
        total_unique: int = pin(description="How many there are.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Find them."""
        sheet = await book.sheet(inputs.sheet_name)
        rows = await book.values(sheet.at())
        index = column_of(rows[0] if rows else [], inputs.column)
        counts = Counter(value for row in rows[1:] if (value := cell_at(row, index)).strip())
        found = counts.most_common() if inputs.sort_by_count else list(counts.items())
        return {
            "values": [value for value, _ in found],
            "counts": dict(found) if inputs.include_count else {},
            "total_unique": len(found),
        }


class GoogleSheetsExportCsvBlock(ReadingBase):
    """Gives a sheet in Google Sheets as CSV."""

    id = "2617e68a-43b3-441f-8b11-66bb041105b8"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "sheet_name": "Lists"},
            outputs=[
                ("csv_data", 'What\r\n"bread, milk"\r\n'),
                ("row_count", 2),
                ("spreadsheet", SHOWN),
            ],
        ),
        Example(
            inputs={"spreadsheet": BOOK, "sheet_name": "Gone"},
            error="there is no sheet 'Gone': there are 'People', 'Lists'",
        ),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        include_headers: bool = pin(default=True, description="The titles stand first.")

    @pins
    class Output(BookOutput):
        """Output pins."""

        csv_data: str = pin(description="The text.")
        row_count: int = pin(description="How many rows it has.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Write the rows as text."""
        sheet = await book.sheet(inputs.sheet_name)
        rows = await book.values(sheet.at())
        rows = rows if inputs.include_headers else rows[1:]
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        return {"csv_data": text.getvalue(), "row_count": len(rows)}
