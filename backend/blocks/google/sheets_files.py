"""Google Sheets: whole spreadsheets and sheets, and who may see them."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.google.drive import (
    DRIVE,
    FILE,
    SCOPE,
    account_of,
    file_pin,
    handed_on,
)
from backend.blocks.google.sharing import close_to_all, open_to_all, share_with
from backend.blocks.google.sheets import (
    BOOK,
    KIND,
    SHEETS,
    SHOWN,
    Book,
    BookInput,
    Result,
    SheetsBase,
    opened,
)
from backend.blocks.google.sheets_read import ReadingBase
from backend.blocks.google.sheets_rows import ChangingBase
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    Json,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.services import ServiceCalls

_WORK: Final = {"enum": ["create", "delete", "copy"], "type": "string"}
_READERS: Final = {"enum": ["reader", "commenter"], "type": "string"}
_PEOPLE: Final = {"enum": ["reader", "writer", "commenter"], "type": "string"}
_LINK: Final = "https://docs.google.com/spreadsheets/d/book/edit?usp=sharing"


class GoogleSheetsCreateSpreadsheetBlock(Block):
    """Makes a new spreadsheet in Google Sheets."""

    id = "c8d4c0d3-c76e-4c2a-8c66-4119817ea3d1"
    categories = (Category.DATA,)
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={
                "title": "Plans",
                "sheet_names": ["One", "Two"],
                "credentials": {"id": "mine", "provider": "google", "type": "oauth2"},
            },
            outputs=[
                ("result", {"success": True}),
                (
                    "spreadsheet",
                    {
                        **SHOWN,
                        "id": "made-1",
                        "name": "Plans",
                        "url": "https://docs.google.com/spreadsheets/d/made-1/edit",
                    },
                ),
                ("spreadsheet_id", "made-1"),
                ("spreadsheet_url", "https://docs.google.com/spreadsheets/d/made-1/edit"),
            ],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["google"],
            [CredentialsKind.OAUTH2],
            scopes=[SCOPE],
            description="An account at Google.",
        )
        title: str = pin(description="Its name.")
        sheet_names: list[str] = pin(
            default_factory=lambda: ["Sheet1"],
            schema={"default": ["Sheet1"], "items": {"type": "string"}, "type": "array"},
            description="The names of its sheets.",
        )

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        result: dict[str, Any] = pin(description="How it went.")
        spreadsheet: dict[str, Any] = pin(
            title="GoogleDriveFile", schema=FILE, description="The spreadsheet, for the next node."
        )
        spreadsheet_id: str = pin(description="Its id.")
        spreadsheet_url: str = pin(description="Its address.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Make it."""
        calls = SHEETS.calls(context, inputs.credentials)
        sheets: list[Json] = [{"properties": {"title": name}} for name in inputs.sheet_names]
        value: Json = {"properties": {"title": inputs.title}, "sheets": sheets}
        made = await calls.object("POST", "spreadsheets", value=value)
        key, url = calls.need(made, str, "spreadsheetId"), calls.need(made, str, "spreadsheetUrl")
        file = {"id": key, "name": inputs.title, "_credentials_id": inputs.credentials["id"]}
        yield "result", {"success": True}
        yield "spreadsheet", handed_on(file, KIND, url)
        yield "spreadsheet_id", key
        yield "spreadsheet_url", url


class GoogleSheetsManageSheetBlock(ChangingBase):
    """Makes, deletes or copies a sheet of a spreadsheet in Google Sheets."""

    id = "7940189d-b137-4ef1-aa18-3dd9a5bde9f3"
    examples = (
        Example(inputs={"spreadsheet": BOOK, "operation": "delete"}, error="which sheet is to go"),
        Example(
            inputs={"spreadsheet": BOOK, "operation": "create", "sheet_name": "People"},
            error="already exists",
        ),
    )

    @pins
    class Input(BookInput):
        """Input pins."""

        operation: str = pin(title="SheetOperation", schema=_WORK, description="What is done.")
        sheet_name: str = pin(default="", description="The sheet to make or to delete.")
        source_sheet_id: int = pin(default=0, description="The number of the sheet to copy.")
        destination_sheet_name: str = pin(
            default="", description="The name of the copy; empty: the service finds one."
        )

    Output = Result

    async def work(self, book: Book, inputs: Input) -> dict[str, Any]:
        """Do it."""
        match inputs.operation:
            case "create":
                named: Json = {"title": inputs.sheet_name} if inputs.sheet_name else {}
                [reply] = await book.change({"addSheet": {"properties": named}})
                return {"result": _sheet(book.calls, reply, "addSheet")}
            case "copy":
                copy: dict[str, Json] = {"sourceSheetId": inputs.source_sheet_id}
                if inputs.destination_sheet_name:
                    copy["newSheetName"] = inputs.destination_sheet_name
                [reply] = await book.change({"duplicateSheet": copy})
                return {"result": _sheet(book.calls, reply, "duplicateSheet")}
            case _:
                if not inputs.sheet_name:
                    raise ValueError("say by its name which sheet is to go")
                sheet = await book.sheet(inputs.sheet_name)
                await book.change({"deleteSheet": {"sheetId": sheet.id}})
                return {"result": {"success": True, "sheetId": sheet.id}}


def _sheet(calls: ServiceCalls, reply: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        "success": True,
        "sheetId": calls.need(reply, int, kind, "properties", "sheetId"),
        "title": calls.need(reply, str, kind, "properties", "title"),
    }


class GoogleSheetsCopyToSpreadsheetBlock(Block):
    """Copies a sheet into another spreadsheet in Google Sheets."""

    id = "740eec3f-2b51-4e95-b87f-22ce2acafdfa"
    categories = (Category.DATA,)
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={"source_spreadsheet": BOOK, "destination_spreadsheet_id": "gone"},
            error="status 404: Requested entity was not found",
        ),
        Example(
            inputs={"destination_spreadsheet_id": "other"},
            error="no file is chosen in 'source_spreadsheet'",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        source_spreadsheet: dict[str, Any] = file_pin("SPREADSHEETS", KIND, "Where the sheet is.")
        source_sheet_name: str = pin(default="", description="The sheet; empty: the first.")
        destination_spreadsheet_id: str = pin(description="The id of the spreadsheet that gets it.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        result: dict[str, Any] = pin(description="How it went.")
        new_sheet_id: int = pin(description="The number of the copy.")
        new_sheet_name: str = pin(description="Its name.")
        spreadsheet: dict[str, Any] = pin(
            title="GoogleDriveFile",
            schema=FILE,
            description="Where the sheet is, for the next node.",
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Copy it."""
        book = opened(inputs.source_spreadsheet, context, "source_spreadsheet")
        sheet = await book.sheet(inputs.source_sheet_name)
        path = book.path("sheets", str(sheet.id)) + ":copyTo"
        value: Json = {"destinationSpreadsheetId": inputs.destination_spreadsheet_id}
        made = await book.calls.object("POST", path, value=value)
        yield "result", {"success": True}
        yield "new_sheet_id", book.calls.need(made, int, "sheetId")
        yield "new_sheet_name", book.calls.need(made, str, "title")
        yield "spreadsheet", dict(book.file)


class GoogleSheetsMetadataBlock(ReadingBase):
    """Tells the name of a spreadsheet in Google Sheets, and which sheets it has."""

    id = "6a0be6ee-7a0d-4c92-819b-500630846ad0"
    examples = (
        Example(
            inputs={"spreadsheet": {**BOOK, "id": "other"}},
            outputs=[
                (
                    "result",
                    {
                        "title": "Other",
                        "sheets": [
                            {"title": "Sheet1", "sheetId": 0, "rowCount": 100, "columnCount": 26}
                        ],
                    },
                ),
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
        Example(
            inputs={"spreadsheet": {**BOOK, "id": "gone"}},
            error="status 404: Requested entity was not found",
        ),
    )

    Input = BookInput
    Output = Result

    async def work(self, book: Book, inputs: BookInput) -> dict[str, Any]:
        """Ask for them."""
        del inputs
        title = book.calls.need(await book.facts("properties.title"), str, "properties", "title")
        sheets = [
            {
                "title": sheet.title,
                "sheetId": sheet.id,
                "rowCount": sheet.rows,
                "columnCount": sheet.columns,
            }
            for sheet in await book.sheets()
        ]
        return {"result": {"title": title, "sheets": sheets}}


class SharingBase(SheetsBase):
    """A block that says who may see a spreadsheet; `work` is given the way to Google Drive."""

    async def run(self, inputs: Any, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Say it, and give the link."""
        book = opened(inputs.spreadsheet, context)
        account = account_of(inputs.spreadsheet, "spreadsheet", KIND)
        result = await self.work(DRIVE.calls(context, account), book.id, inputs)
        yield "result", result
        yield "share_link", f"https://docs.google.com/spreadsheets/d/{book.id}/edit?usp=sharing"
        yield "spreadsheet", dict(book.file)


class GoogleSheetsShareSpreadsheetBlock(SharingBase):
    """Shares a spreadsheet in Google Sheets with somebody, or with all who have its link."""

    id = "3e47e8ac-511a-4eb6-89c5-a6bcedc4236f"
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={"spreadsheet": BOOK, "email": "bob@example.com", "role": "writer"},
            outputs=[
                ("result", {"success": True, "role": "writer", "email": "bob@example.com"}),
                ("share_link", _LINK),
                ("spreadsheet", SHOWN),
            ],
        ),
    )

    @pins
    class Input(BookInput):
        """Input pins."""

        email: str = pin(default="", description="With whom; empty: with all who have the link.")
        role: str = pin(
            default="reader", title="ShareRole", schema=_PEOPLE, description="What they may do."
        )
        send_notification: bool = pin(default=True, description="They get a mail.")
        message: str = pin(default="", description="What the mail says.")

    @pins
    class Output(Result):
        """Output pins."""

        share_link: str = pin(description="The link.")

    async def work(self, drive: ServiceCalls, book_id: str, inputs: Input) -> dict[str, Any]:
        """Share it."""
        if not inputs.email:
            await open_to_all(drive, book_id, inputs.role)
            return {"success": True, "role": inputs.role}
        mail = inputs.message if inputs.send_notification else None
        await share_with(drive, book_id, inputs.email, inputs.role, mail=mail)
        return {"success": True, "role": inputs.role, "email": inputs.email}


class GoogleSheetsSetPublicAccessBlock(SharingBase):
    """Lets all who have the link see a spreadsheet in Google Sheets, or nobody any more."""

    id = "d08d46cd-088b-4ba7-a545-45050f33b889"
    effect = Effect.IDEMPOTENT
    retries = 2
    examples = (
        Example(
            inputs={"spreadsheet": BOOK},
            outputs=[
                ("result", {"success": True, "is_public": True}),
                ("share_link", _LINK),
                ("spreadsheet", SHOWN),
            ],
        ),
    )

    @pins
    class Input(BookInput):
        """Input pins."""

        public: bool = pin(default=True, description="Whether they may.")
        role: str = pin(
            default="reader",
            title="PublicAccessRole",
            schema=_READERS,
            description="What they may do.",
        )

    @pins
    class Output(Result):
        """Output pins."""

        share_link: str = pin(description="The link.")

    async def work(self, drive: ServiceCalls, book_id: str, inputs: Input) -> dict[str, Any]:
        """Let them, or do not."""
        if inputs.public:
            await open_to_all(drive, book_id, inputs.role)
        else:
            await close_to_all(drive, book_id)
        return {"success": True, "is_public": inputs.public}
