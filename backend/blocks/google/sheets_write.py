"""Google Sheets: values that are written, over others or below them."""

import csv
import io
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from backend.blocks.google.sheets import (
    BOOK,
    SHOWN,
    Book,
    BookInput,
    OfSheet,
    Result,
    Sheet,
    SheetsBase,
    column_of,
    grid_of,
    letters_of,
)
from backend.sdk import Effect, Example, Json, JsonObject, pin, pins
from backend.sdk.services import path_of

ENTERED: Final = {"enum": ["RAW", "USER_ENTERED"], "type": "string"}
_MOST_CELLS: Final = 1_000_000


class WritingBase(SheetsBase):
    """A block that writes the same twice as once."""

    effect = Effect.IDEMPOTENT
    retries = 2


class GoogleSheetsWriteBlock(WritingBase):
    """Writes rows into a range of cells in Google Sheets."""

    id = "d9291e87-301d-47a8-91fe-907fb55460e5"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "range": "Lists!B1:C1", "values": [["How many", "Done"]]},
            outputs=[
                (
                    "result",
                    {
                        "spreadsheetId": "book",
                        "updatedRange": "'Lists'!B1:C1",
                        "updatedRows": 1,
                        "updatedColumns": 2,
                        "updatedCells": 2,
                    },
                ),
                ("spreadsheet", SHOWN),
            ],
        ),
        Example(
            inputs={"spreadsheet": BOOK, "range": "Nowhere!A1", "values": []},
            error="status 400: Unable to parse range: Nowhere!A1",
        ),
    )

    @pins
    class Input(BookInput):
        """Input pins."""

        range: str = pin(description="The cells, such as People!A1:C10.")
        values: list[list[str]] = pin(description="The rows.")

    Output = Result

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Write them."""
        return {"result": await book.put(inputs.range, inputs.values)}


class GoogleSheetsUpdateCellBlock(WritingBase):
    """Writes one cell in Google Sheets."""

    id = "df521b68-62d9-42e4-924f-fb6c245516fc"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "cell": "Lists!D1", "value": "=1+1"},
            outputs=[
                (
                    "result",
                    {
                        "spreadsheetId": "book",
                        "updatedRange": "'Lists'!D1",
                        "updatedRows": 1,
                        "updatedColumns": 1,
                        "updatedCells": 1,
                    },
                ),
                ("spreadsheet", SHOWN),
            ],
        ),
    )

    @pins
    class Input(BookInput):
        """Input pins."""

        cell: str = pin(description="The cell, such as A1 or People!B2.")
        value: str = pin(description="What it holds.")
        value_input_option: str = pin(
            default="USER_ENTERED",
            title="ValueInputOption",
            schema=ENTERED,
            description="Whether it is taken as if a person typed it, or as it is.",
        )

    Output = Result

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Write it."""
        entered = inputs.value_input_option
        return {"result": await book.put(inputs.cell, [[inputs.value]], entered=entered)}


class GoogleSheetsUpdateRowBlock(WritingBase):
    """Writes one row of a sheet in Google Sheets: from its left end, or by the titles of columns."""

    id = "b8a934d5-fca0-4be3-9fc2-a99bf63bd385"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "row_index": 9, "dict_values": {"city": "Rome"}},
            outputs=[("result", {"updatedCells": 1}), ("spreadsheet", SHOWN)],
        ),
        Example(
            inputs={"spreadsheet": BOOK, "row_index": 9, "dict_values": {"Shoe size": "42"}},
            error="no column 'Shoe size'",
        ),
        Example(inputs={"spreadsheet": BOOK, "row_index": 9}, error="nothing to write"),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        row_index: int = pin(description="The row, counted from 1.")
        values: list[str] = pin(
            default_factory=list,
            schema={"default": [], "items": {"type": "string"}, "type": "array"},
            description="What it holds, from its left end.",
        )
        dict_values: dict[str, Any] = pin(
            default_factory=dict,
            schema={"additionalProperties": {"type": "string"}, "default": {}, "type": "object"},
            description="What it holds, by title.",
        )

    Output = Result

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Write it."""
        row = inputs.row_index
        if row < 1:
            raise ValueError("rows are counted from 1")
        if not inputs.values and not inputs.dict_values:
            raise ValueError("there is nothing to write")
        sheet = await book.sheet(inputs.sheet_name)
        cells: dict[str, str] = {}
        for index, value in enumerate(inputs.values):
            cells[sheet.at(f"{letters_of(index)}{row}")] = value
        if inputs.dict_values:
            header = (await book.values(sheet.at("1:1")) or [[]])[0]
            for title, value in inputs.dict_values.items():
                cells[sheet.at(f"{letters_of(column_of(header, title))}{row}")] = str(value)
        found = await _write_all(
            book, [{"range": place, "values": [[value]]} for place, value in cells.items()]
        )
        return {"result": {"updatedCells": found.get("totalUpdatedCells", len(cells))}}


async def _write_all(book: Book, data: list[JsonObject]) -> dict[str, Any]:
    value: Json = {"valueInputOption": "USER_ENTERED", "data": list[Json](data)}
    return await book.calls.object("POST", book.path("values:batchUpdate"), value=value)


class GoogleSheetsClearBlock(WritingBase):
    """Empties a range of cells in Google Sheets."""

    id = "84938266-0fc7-46e5-9369-adb0f6ae8015"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "range": "Lists!E1"},
            outputs=[
                ("result", {"spreadsheetId": "book", "clearedRange": "'Lists'!E1"}),
                ("spreadsheet", SHOWN),
            ],
        ),
    )

    @pins
    class Input(BookInput):
        """Input pins."""

        range: str = pin(description="The cells, such as People!A1:C10.")

    Output = Result

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Empty them."""
        path = f"{book.path('values', inputs.range)}:clear"
        return {"result": await book.calls.object("POST", path, value={})}


class GoogleSheetsBatchOperationsBlock(WritingBase):
    """Writes and empties several ranges of cells in Google Sheets, one after the other."""

    id = "a4078584-6fe5-46e0-997e-d5126cdd112a"
    examples = (
        Example(
            inputs={
                "spreadsheet": BOOK,
                "operations": [
                    {"type": "update", "range": "Lists!F1", "values": [["x"]]},
                    {"type": "clear", "range": "Lists!F1"},
                ],
            },
            outputs=[
                ("result", {"success": True, "operations": 2}),
                ("spreadsheet", SHOWN),
            ],
        ),
    )

    @pins
    class Input(BookInput):
        """Input pins."""

        operations: list[dict[str, Any]] = pin(
            schema={
                "items": {
                    "properties": {
                        "type": {
                            "enum": ["update", "clear"],
                            "title": "BatchOperationType",
                            "type": "string",
                            "advanced": False,
                            "secret": False,
                        },
                        "range": {
                            "advanced": False,
                            "secret": False,
                            "title": "Range",
                            "type": "string",
                        },
                        "values": {
                            "advanced": True,
                            "default": [],
                            "items": {"items": {"type": "string"}, "type": "array"},
                            "secret": False,
                            "title": "Values",
                            "type": "array",
                        },
                    },
                    "required": ["type", "range"],
                    "title": "BatchOperation",
                    "type": "object",
                },
                "type": "array",
            },
            description="What is done, in this order.",
        )

    Output = Result

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Do them; neighbours of one kind go together."""
        for kind, group in groupby(inputs.operations, itemgetter("type")):
            parts = list(group)
            if kind == "update":
                await _write_all(
                    book,
                    [{"range": each["range"], "values": each.get("values", [])} for each in parts],
                )
            else:
                ranges: Json = {"ranges": [each["range"] for each in parts]}
                path = book.path("values:batchClear")
                await book.calls.object("POST", path, value=ranges)
        return {"result": {"success": True, "operations": len(inputs.operations)}}


class GoogleSheetsImportCsvBlock(WritingBase):
    """Writes a text of CSV into a sheet in Google Sheets."""

    id = "cb992884-1ff2-450a-8f1b-7650d63e3aa0"
    examples = (
        Example(
            inputs={
                "spreadsheet": BOOK,
                "sheet_name": "Lists",
                "csv_data": 'a,"b,c"\n1,2\n',
                "start_cell": "H1",
            },
            outputs=[
                ("result", {"success": True, "updatedCells": 4}),
                ("rows_imported", 2),
                ("spreadsheet", SHOWN),
            ],
        ),
        Example(inputs={"spreadsheet": BOOK, "csv_data": ""}, error="no rows"),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        csv_data: str = pin(description="The text.")
        start_cell: str = pin(default="A1", description="Where its first value goes.")
        clear_existing: bool = pin(default=False, description="Empty the sheet first.")

    @pins
    class Output(Result):
        """Output pins."""

        rows_imported: int = pin(description="How many rows it had.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Write its rows."""
        try:
            rows = list(csv.reader(io.StringIO(inputs.csv_data, newline=""), strict=True))
        except csv.Error as exc:
            raise ValueError(f"that is no CSV: {exc}") from exc
        width = max(map(len, rows), default=0)
        if not rows:
            raise ValueError("the text has no rows")
        if len(rows) * width > _MOST_CELLS:
            raise ValueError(f"it has over {_MOST_CELLS:,} cells")
        sheet = await book.sheet(inputs.sheet_name)
        start = grid_of(inputs.start_cell)
        if inputs.clear_existing:
            path = f"{book.path('values', sheet.at())}:clear"
            await book.calls.object("POST", path, value={})
        top, left = start.get("startRowIndex", 0), start.get("startColumnIndex", 0)
        await make_room(book, sheet, rows=top + len(rows), columns=left + width)
        place = sheet.at(f"{letters_of(left)}{top + 1}")
        written = await book.put(place, rows)
        updated = written.get("updatedCells", 0)
        return {
            "result": {"success": True, "updatedCells": updated},
            "rows_imported": len(rows),
        }


async def make_room(book: Book, sheet: Sheet, *, rows: int, columns: int) -> None:
    """Let the grid of *sheet* be as large as that at least."""
    lacks = (("ROWS", rows - sheet.rows), ("COLUMNS", columns - sheet.columns))
    requests: list[JsonObject] = [
        {"appendDimension": {"sheetId": sheet.id, "dimension": axis, "length": more}}
        for axis, more in lacks
        if more > 0
    ]
    if requests:
        await book.change(*requests)


class GoogleSheetsAppendRowBlock(SheetsBase):
    """Adds a row below the last of a sheet in Google Sheets."""

    id = "531d50c0-d6b9-4cf9-a013-7bf783d313c7"
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "sheet_name": "Log", "row": ["a", "1"]},
            error="there is no sheet 'Log'",
        ),
    )

    @pins
    class Input(BookInput):
        """Input pins."""

        row: list[str] = pin(description="Its values.")
        sheet_name: str = pin(default="", description="The sheet; empty: the first.")
        value_input_option: str = pin(
            default="USER_ENTERED",
            title="ValueInputOption",
            schema=ENTERED,
            description="Whether they are taken as if a person typed them, or as they are.",
        )

    Output = Result

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Add it."""
        sheet = await book.sheet(inputs.sheet_name)
        value: Json = {"values": [list(inputs.row)]}
        path = path_of("spreadsheets", book.id, "values", sheet.at("A1")) + ":append"
        query = {
            "valueInputOption": inputs.value_input_option,
            "insertDataOption": "INSERT_ROWS",
        }
        return {"result": await book.calls.object("POST", path, query=query, value=value)}
