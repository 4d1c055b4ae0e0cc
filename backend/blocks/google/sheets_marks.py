"""Google Sheets: what cells look like, what they may hold, what is written at their edge."""

from collections.abc import Mapping
from typing import Any

from backend.blocks.google.sheets import (
    BOOK,
    SHOWN,
    Book,
    BookInput,
    BookOutput,
    OfSheet,
    Result,
    Sheet,
    letters_of,
    split,
)
from backend.blocks.google.sheets_read import ReadingBase
from backend.blocks.google.sheets_rows import ChangingBase
from backend.blocks.google.sheets_write import WritingBase
from backend.sdk import Example, Json, pin, pins

_USUAL_SIZE = 10


async def _where(book: Book, place: str, sheet_name: str = "") -> tuple[Sheet, dict[str, Json]]:
    """Return the sheet that *place* names, else that called *sheet_name*, and its cells as numbers."""
    name, cells = split(place)
    sheet = await book.sheet(name or sheet_name)
    return sheet, {**sheet.grid(cells)}


class GoogleSheetsFormatBlock(WritingBase):
    """Gives cells in Google Sheets colours and another font."""

    id = "270f2384-8089-4b5b-b2e3-fe2ea3d87c02"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "range": "People!A1:C1", "bold": True},
            outputs=[("result", {"success": True}), ("spreadsheet", SHOWN)],
        ),
        Example(
            inputs={"spreadsheet": BOOK, "range": "here", "bold": True},
            error="is no range of cells",
        ),
        Example(inputs={"spreadsheet": BOOK, "range": "A1"}, error="nothing to change"),
    )

    @pins
    class Input(BookInput):
        """Input pins."""

        range: str = pin(description="The cells, such as People!A1:C1.")
        background_color: dict[str, Any] = pin(
            default_factory=dict,
            schema={"additionalProperties": True, "default": {}, "type": "object"},
            description="Red, green and blue, each from 0 to 1.",
        )
        text_color: dict[str, Any] = pin(
            default_factory=dict,
            schema={"additionalProperties": True, "default": {}, "type": "object"},
            description="The same for the text.",
        )
        bold: bool = pin(default=False, description="Bold text.")
        italic: bool = pin(default=False, description="Italic text.")
        font_size: int = pin(default=10, description="The size of the text; 10: as it is.")

    Output = Result

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Change them."""
        text: dict[str, Json] = {}
        if inputs.text_color:
            text["foregroundColor"] = inputs.text_color
        if inputs.bold:
            text["bold"] = True
        if inputs.italic:
            text["italic"] = True
        if inputs.font_size != _USUAL_SIZE:
            text["fontSize"] = inputs.font_size
        look: dict[str, Json] = {"textFormat": text} if text else {}
        fields = [f"userEnteredFormat.textFormat.{name}" for name in text]
        if inputs.background_color:
            look["backgroundColor"] = inputs.background_color
            fields.append("userEnteredFormat.backgroundColor")
        if not fields:
            raise ValueError("there is nothing to change")
        _, grid = await _where(book, inputs.range)
        cell: Json = {"userEnteredFormat": look}
        await book.change({"repeatCell": {"range": grid, "cell": cell, "fields": ",".join(fields)}})
        return {"result": {"success": True}}


class GoogleSheetsAddDropdownBlock(WritingBase):
    """Lets cells in Google Sheets be filled from a list."""

    id = "725431c9-71ba-4fce-b829-5a3e495a8a88"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "range": "C2:C9", "options": ["Oslo", "Rome"]},
            outputs=[("result", {"success": True}), ("spreadsheet", SHOWN)],
        ),
        Example(inputs={"spreadsheet": BOOK, "range": "C2", "options": []}, error="no options"),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        range: str = pin(description="The cells.")
        options: list[str] = pin(description="What they may hold.")
        strict: bool = pin(default=True, description="Nothing else is taken.")
        show_dropdown: bool = pin(default=True, description="The list is shown in the cell.")

    Output = Result

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Make the rule."""
        if not inputs.options:
            raise ValueError("there are no options")
        _, grid = await _where(book, inputs.range, inputs.sheet_name)
        values: list[Json] = [{"userEnteredValue": option} for option in inputs.options]
        rule: Json = {
            "condition": {"type": "ONE_OF_LIST", "values": values},
            "strict": inputs.strict,
            "showCustomUi": inputs.show_dropdown,
        }
        await book.change({"setDataValidation": {"range": grid, "rule": rule}})
        return {"result": {"success": True}}


class GoogleSheetsAddNoteBlock(WritingBase):
    """Writes a note at a cell in Google Sheets."""

    id = "774ac529-74f9-41da-bbba-6a06a51a5d7e"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "cell": "A2", "note": "new here"},
            outputs=[("result", {"success": True}), ("spreadsheet", SHOWN)],
        ),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        cell: str = pin(description="The cell, such as A1.")
        note: str = pin(description="What it says; empty: none.")

    Output = Result

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Write it."""
        _, grid = await _where(book, inputs.cell, inputs.sheet_name)
        rows: Json = [{"values": [{"note": inputs.note}]}]
        await book.change({"updateCells": {"range": grid, "rows": rows, "fields": "note"}})
        return {"result": {"success": True}}


class GoogleSheetsGetNotesBlock(ReadingBase):
    """Reads the notes at cells in Google Sheets."""

    id = "fa16834f-fff4-4d7a-9f7f-531ced90492b"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "sheet_name": "Lists", "range": "A1:A9"},
            outputs=[
                ("notes", [{"cell": "A2", "note": "from the shop"}]),
                ("count", 1),
                ("spreadsheet", SHOWN),
            ],
        ),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        range: str = pin(default="A1:Z100", description="The cells.")

    @pins
    class Output(BookOutput):
        """Output pins."""

        notes: list[dict[str, Any]] = pin(description="Each with its cell.")
        count: int = pin(description="How many there are.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Read them."""
        name, cells = split(inputs.range)
        sheet = await book.sheet(name or inputs.sheet_name)
        fields = "sheets.data(startRow,startColumn,rowData.values.note)"
        query = {"ranges": sheet.at(cells), "fields": fields}
        found = await book.calls.object("GET", book.path(), query=query)
        notes = [
            note
            for each in book.calls.entries(found, "sheets")
            for part in each.get("data") or []
            for note in _notes(part)
        ]
        return {"notes": notes, "count": len(notes)}


def _notes(part: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the notes of one part of a sheet; where it begins is left out where it is 0."""
    top, left = int(part.get("startRow") or 0), int(part.get("startColumn") or 0)
    return [
        {"cell": f"{letters_of(column)}{number}", "note": str(cell["note"])}
        for number, row in enumerate(part.get("rowData") or [], top + 1)
        for column, cell in enumerate(row.get("values") or [], left)
        if cell.get("note")
    ]


class GoogleSheetsProtectRangeBlock(ChangingBase):
    """Protects cells in Google Sheets, or a whole sheet, from changes."""

    id = "d0e4f5d1-76e7-4082-9be8-e656ec1f432d"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "range": "A1:C1"},
            outputs=[
                ("result", {"success": True}),
                ("protection_id", 7),
                ("spreadsheet", SHOWN),
            ],
        ),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        range: str = pin(default="", description="The cells; empty: the whole sheet.")
        description: str = pin(default="Protected by automation", description="What it is for.")
        warning_only: bool = pin(default=False, description="Who changes them is only warned.")

    @pins
    class Output(Result):
        """Output pins."""

        protection_id: int = pin(description="Its number.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Protect them."""
        name, cells = split(inputs.range)
        sheet = await book.sheet(name or inputs.sheet_name)
        grid: Json = {**sheet.grid(cells)} if cells else {"sheetId": sheet.id}
        protected: Json = {
            "range": grid,
            "description": inputs.description,
            "warningOnly": inputs.warning_only,
        }
        [reply] = await book.change({"addProtectedRange": {"protectedRange": protected}})
        place = ("addProtectedRange", "protectedRange", "protectedRangeId")
        key = book.calls.need(reply, int, *place)
        return {"result": {"success": True}, "protection_id": key}


class GoogleSheetsCreateNamedRangeBlock(ChangingBase):
    """Gives cells in Google Sheets a name."""

    id = "a2707376-8016-494b-98c4-d0e2752ab9cb"
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "name": "Names", "range": "A2:A5"},
            outputs=[
                ("result", {"success": True}),
                ("named_range_id", "named-1"),
                ("spreadsheet", SHOWN),
            ],
        ),
    )

    @pins
    class Input(OfSheet):
        """Input pins."""

        name: str = pin(description="Their name.")
        range: str = pin(description="The cells.")

    @pins
    class Output(Result):
        """Output pins."""

        named_range_id: str = pin(description="The id of the name.")

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Name them."""
        _, grid = await _where(book, inputs.range, inputs.sheet_name)
        named: Json = {"name": inputs.name, "range": grid}
        [reply] = await book.change({"addNamedRange": {"namedRange": named}})
        key = book.calls.need(reply, str, "addNamedRange", "namedRange", "namedRangeId")
        return {"result": {"success": True}, "named_range_id": key}


class GoogleSheetsListNamedRangesBlock(ReadingBase):
    """Lists the cells in a spreadsheet of Google Sheets that have names."""

    id = "b81a9d27-3997-4860-9303-cc68086db13a"
    examples = (
        Example(
            inputs={"spreadsheet": {**BOOK, "id": "other"}},
            outputs=[
                ("named_ranges", [{"id": "named-0", "name": "Top", "range": "'Sheet1'!A1:B2"}]),
                ("count", 1),
                (
                    "spreadsheet",
                    {
                        **SHOWN,
                        "id": "other",
                        "url": "https://docs.google.com/spreadsheets/d/other/edit",
                    },
                ),
            ],
        ),
    )

    Input = BookInput

    @pins
    class Output(BookOutput):
        """Output pins."""

        named_ranges: list[dict[str, Any]] = pin(description="Each with id, name and cells.")
        count: int = pin(description="How many there are.")

    async def work(self, book: Book, inputs: BookInput) -> dict[str, Any]:
        """List them."""
        del inputs
        found = await book.facts("namedRanges,sheets.properties")
        sheets = {sheet.id: sheet for sheet in await book.sheets()}
        named = book.calls.entries({"namedRanges": found.get("namedRanges") or []}, "namedRanges")
        ranges = [
            {
                "id": str(each.get("namedRangeId")),
                "name": str(each.get("name")),
                "range": _written(each.get("range") or {}, sheets),
            }
            for each in named
        ]
        return {"named_ranges": ranges, "count": len(ranges)}


def _written(grid: Mapping[str, Any], sheets: Mapping[int, Sheet]) -> str:
    """Return cells that are given as numbers as people write them."""
    sheet = sheets.get(int(grid.get("sheetId") or 0))
    if sheet is None:
        return ""
    top, bottom = grid.get("startRowIndex", 0) + 1, grid.get("endRowIndex", sheet.rows)
    left, right = grid.get("startColumnIndex", 0), grid.get("endColumnIndex", sheet.columns) - 1
    return sheet.at(f"{letters_of(left)}{top}:{letters_of(right)}{bottom}")
