"""Google Sheets: rows and columns that come, go and change places."""

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
    cell_at,
    column_of,
    letters_of,
)
from backend.blocks.google.sheets_write import ENTERED, make_room
from backend.sdk import Effect, Example, Json, JsonObject, pin, pins

_ORDER: Final = {"enum": ["ascending", "descending"], "type": "string"}


def _slice(sheet: Sheet, axis: str, first: int, last: int) -> dict[str, Json]:
    return {"sheetId": sheet.id, "dimension": axis, "startIndex": first, "endIndex": last}


class ChangingBase(SheetsBase):
    """A block that must not do its work twice."""

    effect = Effect.AT_MOST_ONCE


class GoogleSheetsInsertRowBlock(ChangingBase):
    """Puts a new row between others of a sheet in Google Sheets."""

    id = "03eda5df-8080-4ed1-bfdf-212f543d657e"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "row": ["a"], "row_index": 0},
            error="rows are counted from 1",
        ),
    )

    @pins
    class Input(BookInput):
        """Input pins."""

        row: list[str] = pin(description="Its values.")
        row_index: int = pin(description="Its place, counted from 1.")
        sheet_name: str = pin(default="", description="The sheet; empty: the first.")
        value_input_option: str = pin(
            default="USER_ENTERED",
            title="ValueInputOption",
            schema=ENTERED,
            description="Whether they are taken as if a person typed them, or as they are.",
        )

    Output = Result

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Make room, and fill it."""
        row = inputs.row_index
        if row < 1:
            raise ValueError("rows are counted from 1")
        sheet = await book.sheet(inputs.sheet_name)
        if row > sheet.rows:
            await make_room(book, sheet, rows=row, columns=0)
        else:
            await book.change({"insertDimension": {"range": _slice(sheet, "ROWS", row - 1, row)}})
        await make_room(book, sheet, rows=0, columns=len(inputs.row))
        place = sheet.at(f"A{row}")
        written = await book.put(place, [inputs.row], entered=inputs.value_input_option)
        return {"result": written}


class GoogleSheetsDeleteRowsBlock(ChangingBase):
    """Takes rows out of a sheet in Google Sheets; those below move up."""

    id = "24bcd490-b02d-44c6-847d-b62a2319f5eb"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "row_indices": []},
            outputs=[
                ("result", {"success": True}),
                ("deleted_count", 0),
                ("spreadsheet", SHOWN),
            ],
        ),
        Example(inputs={"spreadsheet": BOOK, "row_indices": [0]}, error="rows are counted from 1"),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        row_indices: list[int] = pin(description="The rows, counted from 1.")

    @pins
    class Output(Result):
        """Output pins."""

        deleted_count: int = pin(description="How many rows that are.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Take them out."""
        if any(row < 1 for row in inputs.row_indices):
            raise ValueError("rows are counted from 1")
        sheet = await book.sheet(inputs.sheet_name)
        rows = {row - 1 for row in inputs.row_indices}
        await delete_rows(book, sheet, rows)
        return {"result": {"success": True}, "deleted_count": len(rows)}


async def delete_rows(book: Book, sheet: Sheet, rows: set[int]) -> None:
    """Take *rows*, counted from 0, out of *sheet*: all or none."""
    # From below, so that none moves before it is its turn.
    requests: list[JsonObject] = [
        {"deleteDimension": {"range": _slice(sheet, "ROWS", row, row + 1)}}
        for row in sorted(rows, reverse=True)
    ]
    if requests:
        await book.change(*requests)


class GoogleSheetsAddColumnBlock(ChangingBase):
    """Adds a column with a title to a sheet in Google Sheets."""

    id = "cac51050-fc9e-4e63-987a-66c2ba2a127b"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "header": "New", "position": "Shoe size"},
            error="no column 'Shoe size'",
        ),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        header: str = pin(description="Its title.")
        position: str = pin(
            default="end",
            description="Where: end, start, or the column that it comes before, by title or letter.",
        )
        default_value: str = pin(
            default="", description="What it holds in each row; empty: nothing."
        )

    @pins
    class Output(Result):
        """Output pins."""

        column_letter: str = pin(description="Its letter.")
        column_index: int = pin(description="Its place, counted from 0.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Add it."""
        sheet = await book.sheet(inputs.sheet_name)
        rows = await book.values(sheet.at())
        width = max(map(len, rows), default=0)
        match inputs.position.strip().lower():
            case "" | "end":
                index = width
            case "start":
                index = 0
            case _:
                index = column_of(rows[0] if rows else [], inputs.position)
        if index < min(width, sheet.columns):
            gap = _slice(sheet, "COLUMNS", index, index + 1)
            await book.change({"insertDimension": {"range": gap, "inheritFromBefore": index > 0}})
        else:
            await make_room(book, sheet, rows=0, columns=index + 1)
        letter = letters_of(index)
        below = [[inputs.default_value]] * (len(rows) - 1) if inputs.default_value else []
        await book.put(sheet.at(f"{letter}1"), [[inputs.header], *below])
        return {
            "result": {"success": True},
            "column_letter": letter,
            "column_index": index,
        }


class GoogleSheetsDeleteColumnBlock(ChangingBase):
    """Takes a column out of a sheet in Google Sheets; those to its right move left."""

    id = "59b266b6-5cce-4661-a1d3-c417e64d68e9"
    examples = (
        Example(inputs={"spreadsheet": BOOK, "column": "Shoe size"}, error="no column 'Shoe size'"),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        column: str = pin(description="Its title or its letter.")

    Output = Result

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Take it out."""
        sheet = await book.sheet(inputs.sheet_name)
        header = (await book.values(sheet.at("1:1")) or [[]])[0]
        index = column_of(header, inputs.column)
        await book.change(
            {"deleteDimension": {"range": _slice(sheet, "COLUMNS", index, index + 1)}}
        )
        return {"result": {"success": True, "deleted_column": letters_of(index)}}


class GoogleSheetsSortBlock(SheetsBase):
    """Sorts the rows of a sheet in Google Sheets."""

    id = "a265bd84-c93b-459d-bbe0-94e6addaa38f"
    effect = Effect.IDEMPOTENT
    retries = 2
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "sheet_name": "Lists", "sort_column": "What"},
            outputs=[("result", {"success": True}), ("spreadsheet", SHOWN)],
        ),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        sort_column: str = pin(description="The title or letter of a column.")
        sort_order: str = pin(
            default="ascending", title="SortOrder", schema=_ORDER, description="Which way."
        )
        secondary_column: str = pin(
            default="", description="The column that decides where the first is the same."
        )
        secondary_order: str = pin(
            default="ascending", title="SortOrder", schema=_ORDER, description="Which way."
        )
        has_header: bool = pin(default=True, description="The first row has titles, and stays.")

    Output = Result

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Sort them."""
        sheet = await book.sheet(inputs.sheet_name)
        header = (await book.values(sheet.at("1:1")) or [[]])[0]
        orders: list[Json] = [
            {"dimensionIndex": column_of(header, name), "sortOrder": order.upper()}
            for name, order in (
                (inputs.sort_column, inputs.sort_order),
                (inputs.secondary_column, inputs.secondary_order),
            )
            if name
        ]
        grid: dict[str, Json] = {"sheetId": sheet.id, "startRowIndex": int(inputs.has_header)}
        await book.change({"sortRange": {"range": grid, "sortSpecs": orders}})
        return {"result": {"success": True}}


class GoogleSheetsRemoveDuplicatesBlock(SheetsBase):
    """Takes rows that are the same as others out of a sheet in Google Sheets."""

    id = "6eb50ff7-205b-400e-8ecc-1ce8d50075be"
    # What it finds is counted anew: done twice it takes out nothing more.
    effect = Effect.IDEMPOTENT
    retries = 2
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "sheet_name": "Lists"},
            outputs=[
                ("result", {"success": True}),
                ("removed_count", 0),
                ("remaining_rows", 1),
                ("spreadsheet", SHOWN),
            ],
        ),
        Example(inputs={"spreadsheet": BOOK, "keep": "none"}, error="keep is first or last"),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        columns: list[str] = pin(
            default_factory=list,
            schema={"default": [], "items": {"type": "string"}, "type": "array"},
            description="The columns that count, by title or letter; none: all.",
        )
        keep: str = pin(default="first", description="Which one stays: first or last.")
        match_case: bool = pin(default=False, description="Capitals count.")

    @pins
    class Output(Result):
        """Output pins."""

        removed_count: int = pin(description="How many rows are gone.")
        remaining_rows: int = pin(description="How many are left below the titles.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Find them, and take them out."""
        if inputs.keep not in ("first", "last"):
            raise ValueError("keep is first or last")
        sheet = await book.sheet(inputs.sheet_name)
        rows = await book.values(sheet.at())
        places = [column_of(rows[0] if rows else [], name) for name in inputs.columns]
        width = range(max(map(len, rows), default=0))
        numbered = list(enumerate(rows))[1:]
        seen: set[tuple[str, ...]] = set()
        gone: set[int] = set()
        for number, row in numbered if inputs.keep == "first" else reversed(numbered):
            key = tuple(cell_at(row, place) for place in places or width)
            key = key if inputs.match_case else tuple(map(str.casefold, key))
            if key in seen:
                gone.add(number)
            seen.add(key)
        await delete_rows(book, sheet, gone)
        return {
            "result": {"success": True},
            "removed_count": len(gone),
            "remaining_rows": len(numbered) - len(gone),
        }


class GoogleSheetsFindReplaceBlock(ChangingBase):
    """Puts a text in the place of another in all cells of a spreadsheet in Google Sheets."""

    id = "accca760-8174-4656-b55e-5f0e82fee986"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "find_text": "nowhere", "replace_text": "x"},
            outputs=[("result", {"occurrencesChanged": 0}), ("spreadsheet", SHOWN)],
        ),
        Example(
            inputs={"spreadsheet": BOOK, "find_text": "", "replace_text": "x"},
            error="no text to look for",
        ),
    )

    @pins
    class Input(BookInput):
        """Input pins."""

        find_text: str = pin(description="What is looked for.")
        replace_text: str = pin(description="What comes in its place.")
        sheet_id: int = pin(default=-1, description="The number of a sheet; -1: all.")
        match_case: bool = pin(default=False, description="Capitals count.")
        match_entire_cell: bool = pin(default=False, description="It is all that is in the cell.")

    Output = Result

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Let the service replace it."""
        if not inputs.find_text:
            raise ValueError("there is no text to look for")
        everywhere: dict[str, Json] = {"allSheets": True}
        where = everywhere if inputs.sheet_id < 0 else {"sheetId": inputs.sheet_id}
        request: JsonObject = {
            "find": inputs.find_text,
            "replacement": inputs.replace_text,
            "matchCase": inputs.match_case,
            "matchEntireCell": inputs.match_entire_cell,
            **where,
        }
        [reply] = await book.change({"findReplace": request})
        found = reply.get("findReplace") or {}
        return {"result": {"occurrencesChanged": 0, **found}}
