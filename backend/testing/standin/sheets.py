"""Plays Google Sheets: two spreadsheets that keep what is written."""

import re
from typing import Any, Final

from backend.testing.standin.messages import Asked, Reply

_AT: Final = re.compile(r"([A-Z]*)(\d*)")
_DEFAULTS: Final = {"addSheet": "Sheet", "duplicateSheet": "Copy"}


class Tab:
    """One sheet: its cells, row by row, and what is noted at them."""

    def __init__(self, key: int, title: str, rows: list[list[str]] | None = None) -> None:
        self.key = key
        self.title = title
        self.rows = rows or []
        self.height, self.width = 100, 26
        self.notes: dict[tuple[int, int], str] = {}

    def facts(self) -> dict[str, Any]:
        """Return it as the service tells of it."""
        grid = {"rowCount": self.height, "columnCount": self.width}
        return {"properties": {"sheetId": self.key, "title": self.title, "gridProperties": grid}}

    def put(self, top: int, left: int, rows: list[list[str]]) -> int:
        """Write *rows*; return how many cells that are."""
        for row, values in enumerate(rows, top):
            self.rows += [[] for _ in range(row + 1 - len(self.rows))]
            line = self.rows[row]
            line += [""] * (left + len(values) - len(line))
            line[left : left + len(values)] = values
        return sum(map(len, rows))


class Book:
    """One spreadsheet."""

    def __init__(self, key: str, title: str, tabs: list[Tab]) -> None:
        self.key = key
        self.title = title
        self.tabs = tabs
        self.named: list[dict[str, Any]] = []

    def tab(self, title: str) -> Tab | None:
        """Return the sheet of this title; of none: the first."""
        return next((tab for tab in self.tabs if title in ("", tab.title)), None)


def _quoted(title: str) -> str:
    return "'" + title.replace("'", "''") + "'"


def _plain(title: str) -> str:
    return title[1:-1].replace("''", "'") if title.startswith("'") else title


class Sheets:
    """
    Keeps spreadsheets.

    Attributes:
        books: By id.
        done: Requests of batches, the oldest first.
    """

    def __init__(self) -> None:
        people = [["Name", "Age", "City"], ["Ann", "30", "Oslo"], ["Bob", "40"], [], ["Cy", "30"]]
        lists = Tab(5, "Lists", [["What"], ["bread, milk"]])
        lists.notes[1, 0] = "from the shop"
        self.books = {
            "book": Book("book", "Book", [Tab(0, "People", people), lists]),
            "other": Book("other", "Other", [Tab(0, "Sheet1")]),
        }
        grid = {"startRowIndex": 0, "endRowIndex": 2, "startColumnIndex": 0, "endColumnIndex": 2}
        self.books["other"].named.append({"namedRangeId": "named-0", "name": "Top", "range": grid})
        self.done: list[dict[str, Any]] = []

    def answer(self, asked: Asked) -> Reply:
        """Answer as version 4 of its API does."""
        place = asked.path.removeprefix("/sheets/v4/spreadsheets").lstrip("/")
        key, _, rest = place.partition("/")
        key, _, verb = key.partition(":")
        if not key:
            return self._created(asked.json())
        book = self.books.get(key)
        if book is None:
            return _refused(404, "Requested entity was not found.")
        if verb == "batchUpdate":
            return self._batch(book, asked.json()["requests"])
        if not rest:
            return self._facts(book, asked)
        if rest.startswith("sheets/"):
            other = self.books.get(asked.json()["destinationSpreadsheetId"])
            if other is None:
                return _refused(404, "Requested entity was not found.")
            source = next(tab for tab in book.tabs if tab.key == int(rest[7:].partition(":")[0]))
            other.tabs.append(Tab(99, f"Copy of {source.title}", [[*row] for row in source.rows]))
            return Reply(value=other.tabs[-1].facts()["properties"])
        return self._values(book, asked, rest.removeprefix("values"))

    def _created(self, given: dict[str, Any]) -> Reply:
        key = "made-1"
        tabs = [
            Tab(number, sheet["properties"]["title"])
            for number, sheet in enumerate(given["sheets"])
        ]
        self.books[key] = Book(key, given["properties"]["title"], tabs)
        url = f"https://docs.google.com/spreadsheets/d/{key}/edit"
        return Reply(value={"spreadsheetId": key, "spreadsheetUrl": url})

    def _facts(self, book: Book, asked: Asked) -> Reply:
        if "note" not in asked.one("fields"):
            facts = {"properties": {"title": book.title}, "namedRanges": book.named}
            return Reply(value={**facts, "sheets": [tab.facts() for tab in book.tabs]})
        found = self._range(book, asked.one("ranges"))
        assert found is not None
        tab, top, left, _, _ = found
        rows = [
            {"values": [{"note": tab.notes[row, 0]} if (row, 0) in tab.notes else {}]}
            for row in range(top, len(tab.rows))
        ]
        part = {"rowData": rows, **({"startRow": top} if top else {}), "startColumn": left}
        return Reply(value={"sheets": [{"data": [part]}]})

    def _range(self, book: Book, place: str) -> tuple[Tab, int, int, int, int] | None:
        """Return sheet, first row and column, and the ends; None if that is no range."""
        title, mark, cells = place.rpartition("!")
        if not mark and book.tab(_plain(place)):
            title, cells = place, "A1:ZZ999"
        tab = book.tab(_plain(title))
        first, _, last = cells.partition(":")
        ends = [match for text in (first, last or first) if (match := _AT.fullmatch(text))]
        if tab is None or len(ends) < 2:  # noqa: PLR2004 - two ends
            return None
        (left, top), (right, bottom) = (end.groups() for end in ends)
        return (
            tab,
            int(top or 1) - 1,
            _column(left or "A"),
            int(bottom or 999),
            _column(right or "ZZ") + 1,
        )

    def _values(self, book: Book, asked: Asked, rest: str) -> Reply:
        if rest in (":batchUpdate", ":batchClear"):
            return self._several(book, asked.json(), clear=rest.endswith("Clear"))
        place = rest.removeprefix("/").removesuffix(":append")
        clear = place.endswith(":clear")
        place = place.removesuffix(":clear")
        found = self._range(book, place)
        if found is None:
            return _refused(400, f"Unable to parse range: {place}")
        tab, top, left, bottom, right = found
        shown = f"{_quoted(tab.title)}!{place.rpartition('!')[2]}"
        facts = {"spreadsheetId": book.key}
        if asked.method == "GET":
            rows = [_cut(row[left:right]) for row in tab.rows[top:bottom]]
            while rows and not rows[-1]:
                rows.pop()
            return Reply(value={"range": shown, **({"values": rows} if rows else {})})
        if clear:
            _clear(tab, top, left, bottom, right)
            return Reply(value={**facts, "clearedRange": shown})
        rows = asked.json()["values"]
        if asked.one("valueInputOption") not in ("RAW", "USER_ENTERED"):
            return _refused(400, "'valueInputOption' is required but not specified")
        if ":append" in rest:
            tab.put(len(tab.rows), 0, rows)
            return Reply(value={**facts, "updates": {"updatedRows": len(rows)}})
        tab.put(top, left, rows)
        return Reply(
            value={
                **facts,
                "updatedRange": shown,
                "updatedRows": len(rows),
                "updatedColumns": max(map(len, rows), default=0),
                "updatedCells": sum(map(len, rows)),
            }
        )

    def _several(self, book: Book, given: dict[str, Any], *, clear: bool) -> Reply:
        total = 0
        for part in given["ranges"] if clear else given["data"]:
            found = self._range(book, part if clear else part["range"])
            if found is None:
                return _refused(400, f"Unable to parse range: {part}")
            tab, top, left, bottom, right = found
            if clear:
                _clear(tab, top, left, bottom, right)
            else:
                total += tab.put(top, left, part["values"])
        return Reply(value={"spreadsheetId": book.key, "totalUpdatedCells": total})

    def _batch(self, book: Book, requests: list[dict[str, Any]]) -> Reply:
        replies = []
        for request in requests:
            [(kind, given)] = request.items()
            title = given.get("properties", {}).get("title")
            if kind == "addSheet" and title and book.tab(title):
                words = f'A sheet with the name "{title}" already exists.'
                return _refused(400, f"Invalid requests[0].addSheet: {words}")
            self.done.append(request)
            replies.append(self._one(book, kind, given))
        return Reply(value={"spreadsheetId": book.key, "replies": replies})

    def _one(self, book: Book, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        match kind:
            case "addSheet" | "duplicateSheet":
                named = given.get("properties", {}).get("title") or given.get("newSheetName")
                tab = Tab(50 + len(book.tabs), named or _DEFAULTS[kind])
                book.tabs.append(tab)
                return {kind: tab.facts()}
            case "deleteSheet":
                book.tabs = [tab for tab in book.tabs if tab.key != given["sheetId"]]
            case "insertDimension" | "deleteDimension":
                _shift(book, given["range"], insert=kind == "insertDimension")
            case "addProtectedRange":
                return {kind: {"protectedRange": {"protectedRangeId": 7}}}
            case "addNamedRange":
                return {kind: {"namedRange": {"namedRangeId": "named-1", **given["namedRange"]}}}
            case "findReplace":
                return {kind: {}}
        return {}


def _cut(row: list[str]) -> list[str]:
    while row and not row[-1]:
        row = row[:-1]
    return row


def _clear(tab: Tab, top: int, left: int, bottom: int, right: int) -> None:
    for row in tab.rows[top:bottom]:
        row[left:right] = [""] * len(row[left:right])


def _shift(book: Book, place: dict[str, Any], *, insert: bool) -> None:
    tab = next(tab for tab in book.tabs if tab.key == place["sheetId"])
    first, last = place["startIndex"], place["endIndex"]
    if place["dimension"] == "ROWS":
        tab.rows[first : first if insert else last] = [[] for _ in range(last - first)] * insert
        return
    for row in tab.rows:
        if len(row) > first:
            row[first : first if insert else last] = [""] * (last - first) * insert


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _refused(status: int, words: str) -> Reply:
    return Reply(status=status, value={"error": {"code": status, "message": words}})
