"""What the blocks of Google Docs share: a document, its text, and how it is changed."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.blocks.google.drive import FILE, account_of, file_pin, handed_on
from backend.blocks.google.gmail import LIMIT_WORDS
from backend.sdk import Block, BlockContext, Category, Effect, Json, JsonObject, pin, pins
from backend.sdk.services import Service, ServiceCalls, path_of

DOCS: Final = Service(
    provider="google",
    name="Google Docs",
    url="https://docs.googleapis.com/v1",
    place="docs/v1",
    limit_words=LIMIT_WORDS,
)
KIND: Final = "application/vnd.google-apps.document"
#: Tables may stand in tables; nobody writes deeper.
_DEEPEST: Final = 20

#: For examples.
DOC: Final = {"id": "doc", "_credentials_id": "mine"}
SHOWN: Final = {
    "id": "doc",
    "name": None,
    "mimeType": KIND,
    "url": "https://docs.google.com/document/d/doc/edit",
    "iconUrl": None,
    "isFolder": False,
    "_credentials_id": "mine",
}


@dataclass(frozen=True, kw_only=True)
class Document:
    """
    A document that somebody has chosen.

    Attributes:
        file: What goes on to the next node.
    """

    calls: ServiceCalls
    id: str
    file: Mapping[str, Any]

    @property
    def url(self) -> str:
        """Where people see it."""
        return url_of(self.id)

    async def whole(self) -> dict[str, Any]:
        """Return all of it, in the words of the service."""
        return await self.calls.object("GET", path_of("documents", self.id))

    async def change(self, *requests: JsonObject) -> list[dict[str, Any]]:
        """Do *requests*, all or none; return the answer to each."""
        value: Json = {"requests": list(requests)}
        path = f"{path_of('documents', self.id)}:batchUpdate"
        return self.calls.entries(await self.calls.object("POST", path, value=value), "replies")


def url_of(document_id: str) -> str:
    """Return where people see a document."""
    return f"https://docs.google.com/document/d/{document_id}/edit"


def opened(file: Mapping[str, Any] | None, context: BlockContext) -> Document:
    """Return the document that *file* is. Raises ValueError as `account_of`."""
    account = account_of(file, "document", KIND)
    assert file is not None
    key = str(file["id"])
    return Document(
        calls=DOCS.calls(context, account), id=key, file=handed_on(file, KIND, url_of(key))
    )


@pins
class DocumentInput:
    """Inputs of what works in one document."""

    document: dict[str, Any] | None = file_pin("DOCUMENTS", "", "The document.")


@pins
class DocumentOutput:
    """Outputs of what works in one document."""

    error: str = pin(description="What went wrong.")
    document: dict[str, Any] = pin(
        title="GoogleDriveFile", schema=FILE, description="The document, for the next node."
    )


@pins
class Result(DocumentOutput):
    """Outputs of what changes something."""

    result: dict[str, Any] = pin(description="How it went.")


class DocsBase(Block):
    """
    A block that works in one document.

    ``work(self, document: Document, inputs: Input)`` returns the outputs by pin; the document
    itself comes last, for the next node.
    """

    categories = (Category.DATA,)
    work: Callable[..., Any]

    async def run(self, inputs: Any, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Open it, work in it, and yield what came of it."""
        document = opened(inputs.document, context)
        outputs: Mapping[str, Any] = await self.work(document, inputs)
        for output in outputs.items():
            yield output
        yield "document", dict(document.file)


class ReadingDocsBase(DocsBase):
    """A block that only looks."""

    effect = Effect.READ
    retries = 2


class ChangingDocsBase(DocsBase):
    """A block that must not do its work twice."""

    effect = Effect.AT_MOST_ONCE
    Output = Result


def text_in(content: Any, depth: int = 0) -> Iterator[str]:
    """Yield the pieces of text that *content* of a document has, those in tables too."""
    for element in content if isinstance(content, list) and depth < _DEEPEST else ():
        for part in (element.get("paragraph") or {}).get("elements") or ():
            yield str((part.get("textRun") or {}).get("content") or "")
        for row in (element.get("table") or {}).get("tableRows") or ():
            for cell in row.get("tableCells") or ():
                yield from text_in(cell.get("content"), depth + 1)
        yield from text_in((element.get("tableOfContents") or {}).get("content"), depth + 1)
