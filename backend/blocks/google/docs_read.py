"""Google Docs: what a document says, what it is made of, and other forms of it."""

import base64
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final

from backend.blocks.google.docs import (
    DOC,
    KIND,
    SHOWN,
    Document,
    DocumentInput,
    DocumentOutput,
    ReadingDocsBase,
    opened,
    text_in,
)
from backend.blocks.google.drive import DRIVE, account_of
from backend.sdk import BlockContext, Example, pin, pins
from backend.sdk.services import path_of

_FORMATS: Final = (
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.oasis.opendocument.text",
    "text/plain",
    "text/html",
    "application/epub+zip",
    "application/rtf",
)
_HEADING: Final = "HEADING_"
_MISSING: Final = "status 404: Requested entity was not found"
_TEXT: Final = "Dear Bob\nI like cats.\nMilk\nOslo\n"
_SEGMENTS: Final = [
    {"type": "heading", "level": 1, "text": "Dear Bob", "start_index": 1, "end_index": 10},
    {"type": "paragraph", "text": "I like cats.", "start_index": 10, "end_index": 23},
    {"type": "list_item", "level": 1, "text": "Milk", "start_index": 23, "end_index": 28},
    {"type": "table", "rows": 1, "columns": 1, "text": "Oslo", "start_index": 28, "end_index": 37},
]


class GoogleDocsReadBlock(ReadingDocsBase):
    """Reads the text of a document in Google Docs."""

    id = "420a2b3c-5db2-4bda-82bc-a68a862a3d55"
    examples = (
        Example(
            inputs={"document": DOC},
            outputs=[("text", _TEXT), ("title", "Letter"), ("document", SHOWN)],
        ),
        Example(inputs={"document": {**DOC, "id": "gone"}}, error=_MISSING),
        Example(inputs={}, error="no file is chosen in 'document'"),
    )

    Input = DocumentInput

    @pins
    class Output(DocumentOutput):
        """Output pins."""

        text: str = pin(description="Its text, without its form.")
        title: str = pin(description="Its title.")

    async def work(self, document: Document, _inputs: DocumentInput) -> dict[str, Any]:
        """Read it."""
        found = await document.whole()
        body = document.calls.need(found, list, "body", "content")
        return {
            "text": "".join(text_in(body)),
            "title": document.calls.need(found, str, "title"),
        }


class GoogleDocsGetMetadataBlock(ReadingDocsBase):
    """Says what a document in Google Docs is called, and which state of it this is."""

    id = "100bc806-acbf-4dc5-a3a2-998026b96516"
    examples = (
        Example(
            inputs={"document": DOC},
            outputs=[
                ("title", "Letter"),
                ("document_id", "doc"),
                ("revision_id", "r1"),
                ("document_url", "https://docs.google.com/document/d/doc/edit"),
                ("document", SHOWN),
            ],
        ),
    )

    Input = DocumentInput

    @pins
    class Output(DocumentOutput):
        """Output pins."""

        title: str = pin(description="Its title.")
        document_id: str = pin(description="Its id.")
        revision_id: str = pin(description="Its state; another one after each change.")
        document_url: str = pin(description="Where people see it.")

    async def work(self, document: Document, _inputs: DocumentInput) -> dict[str, Any]:
        """Look."""
        found = await document.whole()
        return {
            "title": document.calls.need(found, str, "title"),
            "document_id": document.calls.need(found, str, "documentId"),
            "revision_id": str(found.get("revisionId") or ""),
            "document_url": document.url,
        }


class GoogleDocsGetStructureBlock(ReadingDocsBase):
    """Says of which parts a document in Google Docs is made, and at which places they stand."""

    id = "e0561cc1-2154-4abf-bd06-79509348a18e"
    examples = (
        Example(
            inputs={"document": DOC},
            outputs=[("segments", _SEGMENTS), ("document", SHOWN)],
        ),
        Example(
            inputs={"document": DOC, "detailed": True},
            outputs=[
                (
                    "structure",
                    {
                        "title": "Letter",
                        "parts": [{**_SEGMENTS[0], "parts": _SEGMENTS[1:]}],
                    },
                ),
                ("document", SHOWN),
            ],
        ),
    )

    @pins
    class Input(DocumentInput):
        """Input pins."""

        detailed: bool = pin(
            default=False, description="Put what stands below a heading into it, as a tree."
        )

    @pins
    class Output(DocumentOutput):
        """Output pins."""

        segments: list[dict[str, Any]] = pin(description="The parts, one after the other.")
        structure: dict[str, Any] = pin(description="The parts as a tree.")

    async def work(self, document: Document, inputs: Input) -> dict[str, Any]:
        """Look."""
        found = await document.whole()
        body = document.calls.need(found, list, "body", "content")
        segments = list(_segments(body))
        if not inputs.detailed:
            return {"segments": segments}
        title = document.calls.need(found, str, "title")
        return {"structure": {"title": title, "parts": _tree(segments)}}


class GoogleDocsExportBlock(ReadingDocsBase):
    """Gives a document of Google Docs in another form, such as PDF; of 10 MB at most."""

    id = "e32d5642-7b51-458c-bd83-75ff96fec299"
    examples = (
        Example(
            inputs={"document": DOC},
            outputs=[
                ("content", "JVBERi0="),
                ("mime_type", "application/pdf"),
                ("document", SHOWN),
            ],
        ),
        Example(
            inputs={"document": DOC, "format": "text/plain"},
            outputs=[
                ("content", "Dear Bob"),
                ("mime_type", "text/plain"),
                ("document", SHOWN),
            ],
        ),
        Example(inputs={"document": {**DOC, "id": "gone"}}, error=_MISSING),
    )

    @pins
    class Input(DocumentInput):
        """Input pins."""

        format: str = pin(
            default="application/pdf",
            title="ExportFormat",
            schema={"enum": list(_FORMATS), "type": "string"},
            description="The form.",
        )

    @pins
    class Output(DocumentOutput):
        """Output pins."""

        content: str = pin(description="Text and HTML as they are, all else as base64.")
        mime_type: str = pin(description="The form.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Ask Drive for it: Docs itself has no other forms."""
        document = opened(inputs.document, context)
        drive = DRIVE.calls(context, account_of(inputs.document, "document", KIND))
        answer = await drive.send(
            "GET",
            f"{path_of('files', document.id)}/export",
            query={"mimeType": inputs.format},
        )
        is_text = inputs.format.startswith("text/")
        content = answer.text() if is_text else base64.b64encode(answer.content).decode()
        yield "content", content.removeprefix("\ufeff")
        yield "mime_type", inputs.format
        yield "document", dict(document.file)


def _segments(content: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yield the parts of a document; what has neither words nor cells is left out."""
    for element in content:
        told = _part(element)
        text = "".join(text_in([element])).strip()
        if told is None or (not text and told["type"] != "table"):
            continue
        start, end = element.get("startIndex", 0), element.get("endIndex", 0)
        yield {**told, "text": text, "start_index": start, "end_index": end}


def _part(element: Mapping[str, Any]) -> dict[str, Any] | None:
    if (table := element.get("table")) is not None:
        return {"type": "table", "rows": table.get("rows"), "columns": table.get("columns")}
    paragraph = element.get("paragraph")
    if paragraph is None:
        return None
    style = str((paragraph.get("paragraphStyle") or {}).get("namedStyleType") or "")
    if style.startswith(_HEADING) and style.removeprefix(_HEADING).isdigit():
        return {"type": "heading", "level": int(style.removeprefix(_HEADING))}
    if style in ("TITLE", "SUBTITLE"):
        return {"type": style.lower()}
    if (bullet := paragraph.get("bullet")) is not None:
        return {"type": "list_item", "level": int(bullet.get("nestingLevel") or 0) + 1}
    return {"type": "paragraph"}


def _tree(segments: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return *segments* with what follows a heading inside it, until one that is as high."""
    top: list[dict[str, Any]] = []
    above: list[tuple[int, list[dict[str, Any]]]] = [(0, top)]
    for segment in segments:
        if segment["type"] != "heading":
            above[-1][1].append(segment)
            continue
        while above[-1][0] >= segment["level"]:
            above.pop()
        inner: list[dict[str, Any]] = []
        above[-1][1].append({**segment, "parts": inner})
        above.append((segment["level"], inner))
    return top
