"""Google Sheets: what is written stands where it should, whatever the sheets are called."""

from typing import Any

import pytest

from backend.blocks.build_index import discover
from backend.blocks.google.sheets import column_of, grid_of, letters_of, number_of, split
from backend.core.errors import BlockError
from backend.sdk import BlockContext
from backend.testing.blocks import outputs_of
from backend.testing.standin.server import StandIn
from backend.testing.standin.sheets import Book, Tab

BLOCKS = {block.__name__: block for block in discover()}
FILE = {"id": "mine", "_credentials_id": "mine"}
#: A name that has to be quoted.
ODD = "It's: 1"
ROWS = [["Name", "Age"], ["Ann", "30"], ["Bob", "40"], ["ann", "30"]]


@pytest.fixture
def book(services: StandIn) -> Book:
    sheets = services.play("google").sheets
    sheets.done.clear()
    made = Book("mine", "Mine", [Tab(3, ODD, [[*row] for row in ROWS])])
    sheets.books["mine"] = made
    return made


async def run(name: str, played: BlockContext, **inputs: Any) -> dict[str, Any]:
    block = BLOCKS[f"GoogleSheets{name}Block"]
    return dict(await outputs_of(block(), {"spreadsheet": FILE, **inputs}, played))


@pytest.mark.parametrize(
    ("name", "inputs", "rows"),
    [
        ("AppendRow", {"row": ["Cy", "5"]}, [*ROWS, ["Cy", "5"]]),
        ("InsertRow", {"row": ["Cy", "5"], "row_index": 2}, [ROWS[0], ["Cy", "5"], *ROWS[1:]]),
        ("DeleteRows", {"row_indices": [2, 4, 2]}, [ROWS[0], ROWS[2]]),
        ("DeleteColumn", {"column": "Name"}, [["Age"], ["30"], ["40"], ["30"]]),
        ("AddColumn", {"header": "City", "default_value": "?"},
         [[*row, "?" if number else "City"] for number, row in enumerate(ROWS)]),
        ("AddColumn", {"header": "City", "position": "start"},
         [["City" if not number else "", *row] for number, row in enumerate(ROWS)]),
        ("RemoveDuplicates", {}, ROWS[:3]),
        ("RemoveDuplicates", {"match_case": True}, ROWS),
        ("RemoveDuplicates", {"columns": ["Age"], "keep": "last"}, [ROWS[0], *ROWS[2:]]),
        ("UpdateRow", {"row_index": 2, "values": ["Cy"]}, [ROWS[0], ["Cy", "30"], *ROWS[2:]]),
        ("UpdateRow", {"row_index": 2, "dict_values": {"age": "31"}},
         [ROWS[0], ["Ann", "31"], *ROWS[2:]]),
        ("ImportCsv", {"csv_data": "a,b\r\nc,d", "clear_existing": True},
         [["a", "b"], ["c", "d"], ["", ""], ["", ""]]),
    ],
)  # fmt: skip
async def test_rows_and_columns_come_and_go(
    name: str, inputs: dict[str, Any], rows: list[list[str]], book: Book, played: BlockContext
) -> None:
    await run(name, played, **inputs)

    assert book.tabs[0].rows == rows


async def test_a_grid_that_is_too_small_grows(
    services: StandIn, book: Book, played: BlockContext
) -> None:
    book.tabs[0].height = book.tabs[0].width = 2

    await run("ImportCsv", played, csv_data="a,b\nc,d", start_cell="B2")

    assert services.play("google").sheets.done == [
        {"appendDimension": {"sheetId": 3, "dimension": "ROWS", "length": 1}},
        {"appendDimension": {"sheetId": 3, "dimension": "COLUMNS", "length": 1}},
    ]


async def test_a_new_sheet_is_made_copied_and_deleted(
    services: StandIn, book: Book, played: BlockContext
) -> None:
    made = await run("ManageSheet", played, operation="create", sheet_name="New")
    copied = await run(
        "ManageSheet", played, operation="copy", source_sheet_id=3, destination_sheet_name="Two"
    )
    await run("ManageSheet", played, operation="delete", sheet_name="New")

    assert [tab.title for tab in book.tabs] == [ODD, "Two"]
    assert made["result"]["title"] == "New"
    assert copied["result"]["title"] == "Two"
    copy = {"sourceSheetId": 3, "newSheetName": "Two"}
    assert services.play("google").sheets.done[1] == {"duplicateSheet": copy}


async def test_a_sheet_goes_into_another_spreadsheet(
    services: StandIn, book: Book, played: BlockContext
) -> None:
    block = BLOCKS["GoogleSheetsCopyToSpreadsheetBlock"]
    inputs = {"source_spreadsheet": FILE, "destination_spreadsheet_id": "other"}

    outputs = dict(await outputs_of(block(), inputs, played))

    assert outputs["new_sheet_name"] == f"Copy of {ODD}"
    assert services.play("google").sheets.books["other"].tabs.pop().rows == book.tabs[0].rows


@pytest.mark.parametrize(
    ("name", "inputs", "request_"),
    [
        ("Format", {"range": "A1:B1", "bold": True, "text_color": {"red": 1}},
         {"repeatCell": {
             "range": {"sheetId": 3, "startRowIndex": 0, "endRowIndex": 1,
                       "startColumnIndex": 0, "endColumnIndex": 2},
             "cell": {"userEnteredFormat": {
                 "textFormat": {"foregroundColor": {"red": 1}, "bold": True}}},
             "fields": "userEnteredFormat.textFormat.foregroundColor,"
                       "userEnteredFormat.textFormat.bold"}}),
        ("AddNote", {"cell": "B2", "note": "x"},
         {"updateCells": {
             "range": {"sheetId": 3, "startRowIndex": 1, "endRowIndex": 2,
                       "startColumnIndex": 1, "endColumnIndex": 2},
             "rows": [{"values": [{"note": "x"}]}], "fields": "note"}}),
        ("ProtectRange", {},
         {"addProtectedRange": {"protectedRange": {
             "range": {"sheetId": 3}, "description": "Protected by automation",
             "warningOnly": False}}}),
        ("Sort", {"sort_column": "Age", "sort_order": "descending", "secondary_column": "A"},
         {"sortRange": {
             "range": {"sheetId": 3, "startRowIndex": 1},
             "sortSpecs": [{"dimensionIndex": 1, "sortOrder": "DESCENDING"},
                           {"dimensionIndex": 0, "sortOrder": "ASCENDING"}]}}),
        ("FindReplace", {"find_text": "a", "replace_text": "b", "sheet_id": 3},
         {"findReplace": {"find": "a", "replacement": "b", "matchCase": False,
                          "matchEntireCell": False, "sheetId": 3}}),
    ],
)  # fmt: skip
async def test_what_the_service_does_itself_is_asked_for_in_its_words(
    name: str, inputs: dict[str, Any], request_: dict[str, Any],
    services: StandIn, book: Book, played: BlockContext,
) -> None:  # fmt: skip
    await run(name, played, **inputs)

    assert services.play("google").sheets.done == [request_]


async def test_who_had_the_link_is_let_in_no_longer(
    services: StandIn, book: Book, played: BlockContext
) -> None:
    await run("SetPublicAccess", played, role="commenter")
    await run("ShareSpreadsheet", played, email="bob@example.com", message="Look")
    mail = services.asked[-1]
    await run("SetPublicAccess", played, public=False)

    rights = services.play("google").rights
    assert ("mine", {"type": "anyone", "role": "commenter"}) not in rights
    assert rights[-1] == (
        "mine",
        {"type": "user", "role": "reader", "emailAddress": "bob@example.com"},
    )
    assert (mail.one("sendNotificationEmail"), mail.one("emailMessage")) == ("true", "Look")


@pytest.mark.parametrize(
    ("kind", "value", "rows"),
    [
        ("contains", "NN", [2, 4]),
        ("not_equals", "ann", [3]),
        ("is_not_empty", "", [2, 3, 4]),
        ("is_empty", "", []),
    ],
)
async def test_rows_are_found_by_what_is_in_a_column(
    kind: str, value: str, rows: list[int], book: Book, played: BlockContext
) -> None:
    found = await run("FilterRows", played, filter_column="Name", operator=kind, filter_value=value)

    assert found["row_indices"] == rows
    assert found["count"] == len(rows)


async def test_a_file_of_another_kind_is_no_spreadsheet(
    services: StandIn, played: BlockContext
) -> None:
    picture = {**FILE, "name": "cat.png", "mimeType": "image/png"}

    with pytest.raises(BlockError, match=r"'cat\.png' is of the kind image/png"):
        await run("Read", played, spreadsheet=picture, range="A1")

    assert services.asked == []


def test_columns_have_letters() -> None:
    assert [letters_of(index) for index in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]
    assert all(number_of(letters_of(index)) == index for index in range(2000))
    assert [column_of(["B", "age"], name) for name in ("B", "Age", "c")] == [0, 1, 2]


@pytest.mark.parametrize(
    ("cells", "ends"),
    [
        ("B2:D5", (1, 5, 1, 4)),
        ("$B$2", (1, 2, 1, 2)),
        ("B:B", (None, None, 1, 2)),
        ("3:4", (2, 4, None, None)),
        ("B2:D", (1, None, 1, 4)),
    ],
)
def test_cells_become_numbers(cells: str, ends: tuple[int | None, ...]) -> None:
    names = ("startRowIndex", "endRowIndex", "startColumnIndex", "endColumnIndex")

    assert grid_of(cells) == {
        name: end for name, end in zip(names, ends, strict=True) if end is not None
    }


@pytest.mark.parametrize("cells", ["", "A0", "D5:B2", "A1:B2:C3", "1A", "A1;B2"])
def test_what_is_no_range_is_refused(cells: str) -> None:
    with pytest.raises(ValueError, match="is no range of cells"):
        grid_of(cells)


def test_a_place_has_a_sheet_and_cells() -> None:
    assert split("'It''s! 1'!A1:B2") == ("It's! 1", "A1:B2")
    assert split("People!A1") == ("People", "A1")
    assert split("A1") == ("", "A1")
