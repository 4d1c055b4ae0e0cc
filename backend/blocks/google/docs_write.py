"""Google Docs: documents that are made, and plain text that is written, replaced, deleted, formed."""

import re
from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.google.docs import (
    DOC,
    DOCS,
    KIND,
    SHOWN,
    ChangingDocsBase,
    DocsBase,
    Document,
    DocumentInput,
    Result,
    url_of,
)
from backend.blocks.google.drive import FILE, SCOPE, handed_on
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    Json,
    JsonObject,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.services import ServiceCalls, path_of

_COLOR: Final = re.compile(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
_MOST_SIZE: Final = 400
_MISSING: Final = "status 404: Requested entity was not found"


class GoogleDocsCreateBlock(Block):
    """Makes a new document in Google Docs."""

    id = "d430d941-cf81-4f84-8b19-2e3f670b2fca"
    categories = (Category.DATA,)
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={
                "title": "Plans",
                "initial_content": "First",
                "credentials": {"id": "mine", "provider": "google", "type": "oauth2"},
            },
            outputs=[
                (
                    "document",
                    {**SHOWN, "id": "made", "name": "Plans", "url": url_of("made")},
                ),
                ("document_id", "made"),
                ("document_url", url_of("made")),
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
        title: str = pin(description="Its title.")
        initial_content: str = pin(default="", description="What stands in it at first.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        document: dict[str, Any] = pin(
            title="GoogleDriveFile", schema=FILE, description="The document, for the next node."
        )
        document_id: str = pin(description="Its id.")
        document_url: str = pin(description="Where people see it.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Make it."""
        calls: ServiceCalls = DOCS.calls(context, inputs.credentials)
        value: JsonObject = {"title": inputs.title}
        made = await calls.object("POST", "documents", value=value)
        key = calls.need(made, str, "documentId")
        if inputs.initial_content:
            requests: Json = [_inserted(inputs.initial_content, 1)]
            path = f"{path_of('documents', key)}:batchUpdate"
            await calls.object("POST", path, value={"requests": requests})
        file = {"id": key, "name": inputs.title, "_credentials_id": inputs.credentials["id"]}
        yield "document", handed_on(file, KIND, url_of(key))
        yield "document_id", key
        yield "document_url", url_of(key)


class GoogleDocsAppendPlainTextBlock(ChangingDocsBase):
    """Writes text at the end of a document in Google Docs."""

    id = "ddc29d9f-78dc-4682-8787-c8a76f00cf38"
    examples = (
        Example(
            inputs={"document": DOC, "text": "Yours"},
            outputs=[("result", {"success": True, "characters": 6}), ("document", SHOWN)],
        ),
        Example(inputs={"document": DOC, "text": ""}, error="there is nothing to write"),
        Example(inputs={"document": {**DOC, "id": "gone"}, "text": "x"}, error=_MISSING),
    )

    @pins
    class Input(DocumentInput):
        """Input pins."""

        text: str = pin(description="What to write.")
        add_newline: bool = pin(default=True, description="Begin on a line of its own.")

    async def work(self, document: Document, inputs: Input) -> dict[str, Any]:
        """Write it."""
        _require(inputs.text)
        text = f"\n{inputs.text}" if inputs.add_newline else inputs.text
        await document.change(_inserted(text, 0))
        return {"result": {"success": True, "characters": len(text)}}


class GoogleDocsInsertPlainTextBlock(ChangingDocsBase):
    """Writes text into a document in Google Docs, at a place."""

    id = "0443fdbc-ebb0-49a4-a3ea-6ace9c14da22"
    examples = (
        Example(
            inputs={"document": DOC, "text": "P.S. "},
            outputs=[("result", {"success": True, "index": 1}), ("document", SHOWN)],
        ),
        Example(
            inputs={"document": DOC, "text": "x", "index": 999},
            error="status 400: Index 999 must be less than the end index",
        ),
        Example(inputs={"document": DOC, "text": "x", "index": 0}, error="index: 1 is the first"),
    )

    @pins
    class Input(DocumentInput):
        """Input pins."""

        text: str = pin(description="What to write.")
        index: int = pin(default=1, description="Before which character; 1 is the first.")

    async def work(self, document: Document, inputs: Input) -> dict[str, Any]:
        """Write it."""
        _require(inputs.text)
        if inputs.index < 1:
            raise ValueError("index: 1 is the first place")
        await document.change(_inserted(inputs.text, inputs.index))
        return {"result": {"success": True, "index": inputs.index}}


class GoogleDocsInsertPageBreakBlock(ChangingDocsBase):
    """Begins a new page in a document in Google Docs."""

    id = "f199e674-803b-4ee8-8bbf-172e6512190b"
    examples = (
        Example(
            inputs={"document": DOC},
            outputs=[("result", {"success": True}), ("document", SHOWN)],
        ),
    )

    @pins
    class Input(DocumentInput):
        """Input pins."""

        index: int = pin(default=0, description="Before which character; 0: at the end.")

    async def work(self, document: Document, inputs: Input) -> dict[str, Any]:
        """Begin it."""
        await document.change({"insertPageBreak": _place(inputs.index)})
        return {"result": {"success": True}}


class GoogleDocsFindReplacePlainTextBlock(ChangingDocsBase):
    """Replaces text wherever it stands in a document in Google Docs."""

    id = "e5046ee2-b094-418e-a25e-c0f90c91721c"
    examples = (
        Example(
            inputs={"document": DOC, "find_text": "cats", "replace_text": "dogs"},
            outputs=[("result", {"success": True, "replacements": 1}), ("document", SHOWN)],
        ),
        Example(
            inputs={"document": DOC, "find_text": "", "replace_text": "x"},
            error="say what is to be replaced",
        ),
    )

    @pins
    class Input(DocumentInput):
        """Input pins."""

        find_text: str = pin(description="What is to be replaced.")
        replace_text: str = pin(description="By what; empty: it goes.")
        match_case: bool = pin(default=False, description="Small and capital letters differ.")

    async def work(self, document: Document, inputs: Input) -> dict[str, Any]:
        """Replace it."""
        if not inputs.find_text:
            raise ValueError("say what is to be replaced")
        sought: JsonObject = {"text": inputs.find_text, "matchCase": inputs.match_case}
        request: JsonObject = {"containsText": sought, "replaceText": inputs.replace_text}
        replies = await document.change({"replaceAllText": request})
        told = replies[0].get("replaceAllText") if replies else None
        # Nothing is said of what was not found.
        count = told.get("occurrencesChanged", 0) if isinstance(told, dict) else 0
        return {"result": {"success": True, "replacements": count}}


class GoogleDocsDeleteContentBlock(ChangingDocsBase):
    """Deletes what stands between two places of a document in Google Docs."""

    id = "5f9f9fa4-9071-4028-97c2-9d15fb422dc5"
    examples = (
        Example(
            inputs={"document": DOC, "start_index": 1, "end_index": 5},
            outputs=[("result", {"success": True, "characters": 4}), ("document", SHOWN)],
        ),
        Example(
            inputs={"document": DOC, "start_index": 5, "end_index": 5},
            error="end_index: it is not after start_index",
        ),
    )

    @pins
    class Input(DocumentInput):
        """Input pins."""

        start_index: int = pin(ge=1, description="The first character that goes; 1 is the first.")
        end_index: int = pin(description="The first that stays again.")

    async def work(self, document: Document, inputs: Input) -> dict[str, Any]:
        """Delete it."""
        await document.change(
            {"deleteContentRange": {"range": _range(inputs.start_index, inputs.end_index)}}
        )
        return {"result": {"success": True, "characters": inputs.end_index - inputs.start_index}}


class GoogleDocsFormatTextBlock(DocsBase):
    """Gives text between two places of a document in Google Docs another form."""

    id = "04c38a7e-7ee5-4e1a-86c1-9727123577bc"
    effect = Effect.IDEMPOTENT
    retries = 2
    examples = (
        Example(
            inputs={
                "document": DOC,
                "start_index": 1,
                "end_index": 5,
                "bold": True,
                "foreground_color": "#ff0000",
            },
            outputs=[("result", {"success": True}), ("document", SHOWN)],
        ),
        Example(
            inputs={"document": DOC, "start_index": 1, "end_index": 5},
            error="say which form the text is to have",
        ),
        Example(
            inputs={
                "document": DOC,
                "start_index": 1,
                "end_index": 5,
                "foreground_color": "red",
            },
            error="foreground_color: 'red' is no colour like #ff0000",
        ),
    )

    @pins
    class Input(DocumentInput):
        """Input pins."""

        start_index: int = pin(ge=1, description="The first character; 1 is the first.")
        end_index: int = pin(description="The first that stays as it is.")
        bold: bool = pin(default=False, description="Make it bold.")
        italic: bool = pin(default=False, description="Make it italic.")
        underline: bool = pin(default=False, description="Underline it.")
        font_size: int = pin(default=0, description="In points; 0: as it is.")
        foreground_color: str = pin(
            default="", description="Like #ff0000: red, green and blue; empty: as it is."
        )

    Output = Result

    async def work(self, document: Document, inputs: Input) -> dict[str, Any]:
        """Form it."""
        style = _style(inputs)
        if not style:
            raise ValueError("say which form the text is to have")
        request: JsonObject = {
            "range": _range(inputs.start_index, inputs.end_index),
            "textStyle": style,
            "fields": ",".join(style),
        }
        await document.change({"updateTextStyle": request})
        return {"result": {"success": True}}


def _require(text: str) -> None:
    if not text:
        raise ValueError("there is nothing to write")


def _inserted(text: str, index: int) -> JsonObject:
    return {"insertText": {"text": text, **_place(index)}}


def _place(index: int) -> JsonObject:
    """Return where something goes; 0: at the end."""
    return {"location": {"index": index}} if index > 0 else {"endOfSegmentLocation": {}}


def _range(start: int, end: int) -> JsonObject:
    if end <= start:
        raise ValueError("end_index: it is not after start_index")
    return {"startIndex": start, "endIndex": end}


def _style(inputs: GoogleDocsFormatTextBlock.Input) -> JsonObject:
    style: JsonObject = {}
    for name in ("bold", "italic", "underline"):
        if getattr(inputs, name):
            style[name] = True
    if inputs.font_size:
        if not 0 < inputs.font_size <= _MOST_SIZE:
            raise ValueError(f"font_size: 1 to {_MOST_SIZE} points")
        style["fontSize"] = {"magnitude": inputs.font_size, "unit": "PT"}
    if text := inputs.foreground_color.strip():
        match = _COLOR.fullmatch(text)
        if match is None:
            raise ValueError(f"foreground_color: {text[:40]!r} is no colour like #ff0000")
        parts = (int(part, 16) / 255 for part in match.groups())
        rgb: JsonObject = dict(zip(("red", "green", "blue"), parts, strict=True))
        style["foregroundColor"] = {"color": {"rgbColor": rgb}}
    return style
