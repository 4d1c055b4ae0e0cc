"""Google Sheets: rows and cells that somebody looks for."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from backend.blocks.google.sheets import (
    BOOK,
    SHOWN,
    Book,
    BookInput,
    BookOutput,
    OfSheet,
    Result,
    Sheet,
    by_title,
    cell_at,
    column_of,
    grid_of,
    letters_of,
    split,
)
from backend.blocks.google.sheets_read import ReadingBase
from backend.sdk import Example, pin, pins

_ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "greater_than": operator.gt,
    "less_than": operator.lt,
    "greater_than_or_equal": operator.ge,
    "less_than_or_equal": operator.le,
}
_OPERATORS: Final = {
    "enum": [
        "equals",
        "not_equals",
        "contains",
        "not_contains",
        "greater_than",
        "less_than",
        "greater_than_or_equal",
        "less_than_or_equal",
        "is_empty",
        "is_not_empty",
    ],
    "type": "string",
}


def fits(value: str, kind: str, wanted: str, *, match_case: bool) -> bool:
    """Say whether *value* stands to *wanted* as *kind* says; numbers are compared as numbers."""
    if kind in _ORDERS:
        numbers = _numbers(value, wanted)
        return _ORDERS[kind](*(numbers or (value, wanted))) if value.strip() else False
    if not match_case:
        value, wanted = value.casefold(), wanted.casefold()
    match kind.removeprefix("not_"):
        case "equals":
            found = value == wanted
        case "contains":
            found = wanted in value
        case _:
            return bool(value.strip()) == (kind == "is_not_empty")
    return found != kind.startswith("not_")


def _numbers(*texts: str) -> tuple[float, ...] | None:
    try:
        return tuple(float(text.replace(",", "")) for text in texts)
    except ValueError:
        return None


class GoogleSheetsFilterRowsBlock(ReadingBase):
    """Finds the rows of a sheet in Google Sheets whose value in a column is as it should be."""

    id = "582195c2-ccee-4fc2-b646-18f72eb9906c"
    examples = (
        Example(
            inputs={
                "spreadsheet": BOOK,
                "filter_column": "Age",
                "filter_value": "35",
                "operator": "greater_than",
            },
            outputs=[
                ("rows", [["Name", "Age", "City"], ["Bob", "40", ""]]),
                ("row_indices", [3]),
                ("count", 1),
                ("spreadsheet", SHOWN),
            ],
        ),
        Example(
            inputs={"spreadsheet": BOOK, "filter_column": "Shoe size"},
            error="no column 'Shoe size'",
        ),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        filter_column: str = pin(description="The title or letter of a column.")
        filter_value: str = pin(default="", description="What its value is compared with.")
        operator: str = pin(
            default="equals",
            title="FilterOperator",
            schema=_OPERATORS,
            description="How it is compared.",
        )
        match_case: bool = pin(default=False, description="Capitals count.")
        include_header: bool = pin(default=True, description="The titles stand first.")

    @pins
    class Output(BookOutput):
        """Output pins."""

        rows: list[list[str]] = pin(description="The rows.")
        row_indices: list[int] = pin(description="Their places, counted from 1.")
        count: int = pin(description="How many there are.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Find them."""
        sheet = await book.sheet(inputs.sheet_name)
        rows = await book.values(sheet.at())
        header = rows[0] if rows else []
        index = column_of(header, inputs.filter_column)
        found = [
            (number, _filled(row, len(header)))
            for number, row in enumerate(rows[1:], 2)
            if fits(
                cell_at(row, index),
                inputs.operator,
                inputs.filter_value,
                match_case=inputs.match_case,
            )
        ]
        first = [header] if inputs.include_header and rows else []
        return {
            "rows": [*first, *(row for _, row in found)],
            "row_indices": [number for number, _ in found],
            "count": len(found),
        }


def _filled(row: Sequence[str], width: int) -> list[str]:
    """Return *row* as wide as the titles: the service leaves out what is empty at the end."""
    return [*row, *[""] * (width - len(row))]


class GoogleSheetsLookupRowBlock(ReadingBase):
    """Finds the first row of a sheet in Google Sheets that has a value in a column."""

    id = "e58c0bad-6597-400c-9548-d151ec428ffc"
    examples = (
        Example(
            inputs={
                "spreadsheet": BOOK,
                "lookup_column": "Name",
                "lookup_value": "ann",
                "return_columns": ["City"],
            },
            outputs=[
                ("row", ["Oslo"]),
                ("row_dict", {"City": "Oslo"}),
                ("row_index", 2),
                ("found", True),
                ("spreadsheet", SHOWN),
            ],
        ),
        Example(
            inputs={"spreadsheet": BOOK, "lookup_column": "Name", "lookup_value": "Zoe"},
            outputs=[
                ("row", []),
                ("row_dict", {}),
                ("row_index", 0),
                ("found", False),
                ("spreadsheet", SHOWN),
            ],
        ),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        lookup_column: str = pin(description="The title or letter of a column.")
        lookup_value: str = pin(description="What is looked for.")
        return_columns: list[str] = pin(
            default_factory=list,
            schema={"default": [], "items": {"type": "string"}, "type": "array"},
            description="The columns to give; none: all.",
        )
        match_case: bool = pin(default=False, description="Capitals count.")

    @pins
    class Output(BookOutput):
        """Output pins."""

        row: list[str] = pin(description="Its values.")
        row_dict: dict[str, str] = pin(description="Its values by title.")
        row_index: int = pin(description="Its place, counted from 1; 0: there is none.")
        found: bool = pin(description="Whether there is one.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Find it."""
        sheet = await book.sheet(inputs.sheet_name)
        rows = await book.values(sheet.at())
        header = rows[0] if rows else []
        index = column_of(header, inputs.lookup_column)
        shown = [column_of(header, name) for name in inputs.return_columns]
        for number, row in enumerate(rows[1:], 2):
            value = cell_at(row, index)
            if fits(value, "equals", inputs.lookup_value, match_case=inputs.match_case):
                places = shown or range(max(len(header), len(row)))
                values = [cell_at(row, place) for place in places]
                titles = [cell_at(header, place) or letters_of(place) for place in places]
                found = {"row": values, "row_dict": by_title(titles, values)}
                return {**found, "row_index": number, "found": True}
        return {"row": [], "row_dict": {}, "row_index": 0, "found": False}


class GoogleSheetsFindBlock(ReadingBase):
    """Finds a text in the cells of a spreadsheet in Google Sheets."""

    id = "0f4ecc72-b958-47b2-b65e-76d6d26b9b27"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "find_text": "oslo", "match_entire_cell": True},
            outputs=[
                (
                    "locations",
                    [
                        {
                            "sheet": "People",
                            "sheet_id": 0,
                            "row": 2,
                            "column": 3,
                            "address": "C2",
                            "value": "Oslo",
                        }
                    ],
                ),
                ("count", 1),
                ("result", {"success": True}),
                ("spreadsheet", SHOWN),
            ],
        ),
        Example(inputs={"spreadsheet": BOOK, "find_text": ""}, error="no text to look for"),
    )

    @pins
    class Input(BookInput):
        """Input pins."""

        find_text: str = pin(description="What is looked for.")
        sheet_id: int = pin(default=-1, description="The number of a sheet; -1: all.")
        match_case: bool = pin(default=False, description="Capitals count.")
        match_entire_cell: bool = pin(default=False, description="It is all that is in the cell.")
        find_all: bool = pin(default=True, description="All places; else the first.")
        range: str = pin(default="", description="Where to look; empty: everywhere.")

    @pins
    class Output(Result):
        """Output pins."""

        locations: list[dict[str, Any]] = pin(
            description="Where it is, rows and columns counted from 1."
        )
        count: int = pin(description="How often.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Look for it, sheet by sheet."""
        if not inputs.find_text:
            raise ValueError("there is no text to look for")
        name, cells = split(inputs.range) if inputs.range else ("", "")
        grid = grid_of(cells) if cells else {}
        kind = "equals" if inputs.match_entire_cell else "contains"
        found: list[dict[str, Any]] = []
        for sheet in await book.sheets():
            if inputs.sheet_id not in (-1, sheet.id) or name not in ("", sheet.title):
                continue
            for row, values in enumerate(
                await book.values(sheet.at(cells)), grid.get("startRowIndex", 0)
            ):
                found += [
                    _place(sheet, row, column, value)
                    for column, value in enumerate(values, grid.get("startColumnIndex", 0))
                    if fits(value, kind, inputs.find_text, match_case=inputs.match_case)
                ]
        found = found if inputs.find_all else found[:1]
        return {"locations": found, "count": len(found), "result": {"success": True}}


def _place(sheet: Sheet, row: int, column: int, value: str) -> dict[str, Any]:
    return {
        "sheet": sheet.title,
        "sheet_id": sheet.id,
        "row": row + 1,
        "column": column + 1,
        "address": f"{letters_of(column)}{row + 1}",
        "value": value,
    }
