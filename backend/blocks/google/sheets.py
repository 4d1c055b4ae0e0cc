"""What the blocks of Google Sheets share: a spreadsheet, its sheets, and how places in them are named."""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.blocks.google.drive import FILE, account_of, file_pin, handed_on
from backend.blocks.google.gmail import LIMIT_WORDS
from backend.sdk import Block, BlockContext, Category, Json, JsonObject, pin, pins
from backend.sdk.services import Service, ServiceCalls, path_of

SHEETS: Final = Service(
    provider="google",
    name="Google Sheets",
    url="https://sheets.googleapis.com/v4",
    place="sheets/v4",
    limit_words=LIMIT_WORDS,
)
KIND: Final = "application/vnd.google-apps.spreadsheet"
_RANGE: Final = re.compile(
    r"\$?([A-Z]{0,3})\$?(\d{0,7})(?::\$?([A-Z]{0,3})\$?(\d{0,7}))?", re.IGNORECASE
)
_FAR: Final = 1 << 31
_LETTERS: Final = re.compile(r"[A-Za-z]{1,3}")

#: For examples.
BOOK: Final = {"id": "book", "_credentials_id": "mine"}
SHOWN: Final = {
    "id": "book",
    "name": None,
    "mimeType": KIND,
    "url": "https://docs.google.com/spreadsheets/d/book/edit",
    "iconUrl": None,
    "isFolder": False,
    "_credentials_id": "mine",
}


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One sheet of a spreadsheet."""

    id: int
    title: str
    rows: int  #: of its grid, empty ones too
    columns: int

    def at(self, cells: str = "") -> str:
        """Return the name of *cells* in this sheet; of all of it where none are named."""
        title = "'" + self.title.replace("'", "''") + "'"
        return f"{title}!{cells}" if cells else title

    def grid(self, cells: str) -> dict[str, int]:
        """Return *cells* as numbers, ends not included; see `grid_of`."""
        return {"sheetId": self.id, **grid_of(cells)}


@dataclass(frozen=True, kw_only=True)
class Book:
    """
    A spreadsheet that somebody has chosen.

    Attributes:
        file: What goes on to the next node.
    """

    calls: ServiceCalls
    id: str
    file: Mapping[str, Any]

    async def facts(self, fields: str) -> dict[str, Any]:
        """Return *fields* of it, in the words of the service."""
        return await self.calls.object("GET", self.path(), query={"fields": fields})

    async def sheets(self) -> list[Sheet]:
        """Return its sheets, in their order."""
        found = await self.facts("sheets.properties")
        return [self._sheet(each) for each in self.calls.entries(found, "sheets")]

    async def sheet(self, name: str) -> Sheet:
        """Return the sheet called *name*, or the first. Raises ValueError if it is not there."""
        sheets = await self.sheets()
        for sheet in sheets:
            if name in ("", sheet.title):
                return sheet
        titles = ", ".join(repr(sheet.title) for sheet in sheets)
        raise ValueError(f"there is no sheet {name!r}: there are {titles}")

    async def values(self, place: str) -> list[list[str]]:
        """Return what is shown at *place*, row by row; empty ends of rows and sheets are left out."""
        found = await self.calls.object("GET", self.path("values", place))
        rows = found.get("values", [])
        if "range" not in found or not all(isinstance(row, list) for row in rows):
            raise self.calls.nonsense("it has no values")
        return [["" if cell is None else str(cell) for cell in row] for row in rows]

    async def put(
        self, place: str, rows: Sequence[Sequence[str]], *, entered: str = "USER_ENTERED"
    ) -> dict[str, Any]:
        """Write *rows* at *place*; return what the service says."""
        value: Json = {"values": [list(row) for row in rows]}
        return await self.calls.object(
            "PUT", self.path("values", place), query={"valueInputOption": entered}, value=value
        )

    async def change(self, *requests: JsonObject) -> list[dict[str, Any]]:
        """Do *requests*, all or none; return the answer to each."""
        value: Json = {"requests": list(requests)}
        found = await self.calls.object("POST", f"{self.path()}:batchUpdate", value=value)
        return self.calls.entries(found, "replies")

    def path(self, *segments: str) -> str:
        """Return the path of a part of it."""
        return path_of("spreadsheets", self.id, *segments)

    def _sheet(self, found: Mapping[str, Any]) -> Sheet:
        need = self.calls.need
        return Sheet(
            id=need(found, int, "properties", "sheetId"),
            title=need(found, str, "properties", "title"),
            rows=need(found, int, "properties", "gridProperties", "rowCount"),
            columns=need(found, int, "properties", "gridProperties", "columnCount"),
        )


def opened(
    file: Mapping[str, Any] | None, context: BlockContext, pin_name: str = "spreadsheet"
) -> Book:
    """Return the spreadsheet that *file* is. Raises ValueError as `account_of`."""
    account = account_of(file, pin_name, KIND)
    assert file is not None
    key = str(file["id"])
    url = f"https://docs.google.com/spreadsheets/d/{key}/edit"
    return Book(calls=SHEETS.calls(context, account), id=key, file=handed_on(file, KIND, url))


@pins
class BookInput:
    """Inputs of what works in one spreadsheet."""

    spreadsheet: dict[str, Any] | None = file_pin("SPREADSHEETS", KIND, "The spreadsheet.")


@pins
class BookOutput:
    """Outputs of what works in one spreadsheet."""

    error: str = pin(description="What went wrong.")
    spreadsheet: dict[str, Any] = pin(
        title="GoogleDriveFile", schema=FILE, description="The spreadsheet, for the next node."
    )


class SheetsBase(Block):
    """
    A block that works in one spreadsheet.

    ``work(self, book: Book, inputs: Input)`` returns the outputs by pin; the spreadsheet itself
    comes last, for the next node.
    """

    categories = (Category.DATA,)
    work: Callable[..., Any]

    async def run(self, inputs: Any, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Open it, work in it, and yield what came of it."""
        book = opened(inputs.spreadsheet, context)
        outputs: Mapping[str, Any] = await self.work(book, inputs)
        for output in outputs.items():
            yield output
        yield "spreadsheet", dict(book.file)


@pins
class Result(BookOutput):
    """Outputs of what changes something."""

    result: dict[str, Any] = pin(description="How it went.")


@pins
class OfSheet(BookInput):
    """Inputs of what works in one sheet."""

    sheet_name: str = pin(default="", description="The sheet; empty: the first.")


def letters_of(index: int) -> str:
    """Return the letters of a column, counted from 0."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def number_of(letters: str) -> int:
    """Return the place of a column, counted from 0."""
    number = 0
    for letter in letters.upper():
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def grid_of(cells: str) -> dict[str, int]:
    """
    Return *cells*, such as ``B2:D5``, ``B:B`` or ``3:4``, as numbers from 0, ends not included.

    Raises:
        ValueError: If that is no range.
    """
    match = _RANGE.fullmatch(cells.strip())
    if match is None or not (match[1] or match[2]):
        raise _no_range(cells)
    left, top, right, bottom = match.groups()
    if ":" not in cells:
        right, bottom = left, top
    found = {
        "startRowIndex": int(top) - 1 if top else None,
        "endRowIndex": int(bottom) if bottom else None,
        "startColumnIndex": number_of(left) if left else None,
        "endColumnIndex": number_of(right) + 1 if right else None,
    }
    given = {name: number for name, number in found.items() if number is not None}
    for axis in ("Row", "Column"):
        first, end = given.get(f"start{axis}Index", 0), given.get(f"end{axis}Index", _FAR)
        if not 0 <= first < end:
            raise _no_range(cells)
    return given


def _no_range(cells: str) -> ValueError:
    return ValueError(f"{cells[:80]!r} is no range of cells, such as A1:C10")


def split(place: str) -> tuple[str, str]:
    """Return sheet and cells of *place*, such as ``'My sheet'!A1``; the sheet is empty if unnamed."""
    sheet, mark, cells = place.strip().rpartition("!")
    if not mark:
        return "", place.strip()
    if len(sheet) > 1 and sheet[0] == sheet[-1] == "'":
        sheet = sheet[1:-1].replace("''", "'")
    return sheet, cells


def column_of(header: Sequence[str], name: str) -> int:
    """
    Return the place of the column that *name* means: by its title in *header*, else by letters.

    Raises:
        ValueError: If there is none.
    """
    wanted = name.strip()
    for titles, title in (
        (list(header), wanted),
        ([each.strip().casefold() for each in header], wanted.casefold()),
    ):
        if title and title in titles:
            return titles.index(title)
    if _LETTERS.fullmatch(wanted):
        return number_of(wanted)
    raise ValueError(f"there is no column {name!r}: there are {', '.join(map(repr, header))[:300]}")


def cell_at(row: Sequence[str], index: int) -> str:
    """Return a value of *row*; what is past its end is empty."""
    return row[index] if index < len(row) else ""


def by_title(header: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    """Return the values of *row* by the titles of their columns; those without one by letters."""
    width = max(len(header), len(row))
    return {
        cell_at(header, index) or letters_of(index): cell_at(row, index) for index in range(width)
    }
