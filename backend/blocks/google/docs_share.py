"""Google Docs: who may see a document."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.google.docs import (
    DOC,
    KIND,
    SHOWN,
    DocsBase,
    DocumentInput,
    Result,
    opened,
)
from backend.blocks.google.drive import DRIVE, account_of
from backend.blocks.google.sharing import close_to_all, open_to_all, share_with
from backend.sdk import BlockContext, Effect, Example, pin, pins
from backend.sdk.services import ServiceCalls

_LINK: Final = "https://docs.google.com/document/d/doc/edit?usp=sharing"


@pins
class Shared(Result):
    """Outputs of what says who may see a document."""

    share_link: str = pin(description="The link.")


class SharingDocsBase(DocsBase):
    """A block that says who may see a document; `work` is given the way to Google Drive."""

    Output = Shared

    async def run(self, inputs: Any, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Say it, and give the link."""
        document = opened(inputs.document, context)
        account = account_of(inputs.document, "document", KIND)
        result = await self.work(DRIVE.calls(context, account), document.id, inputs)
        yield "result", result
        yield "share_link", f"{document.url}?usp=sharing"
        yield "document", dict(document.file)


class GoogleDocsShareBlock(SharingDocsBase):
    """Shares a document in Google Docs with somebody, or with all who have its link."""

    id = "4e7ec771-4cc8-4eb7-ae3d-46377ecdb5d2"
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={"document": DOC, "email": "bob@example.com", "role": "writer"},
            outputs=[
                ("result", {"success": True, "role": "writer", "email": "bob@example.com"}),
                ("share_link", _LINK),
                ("document", SHOWN),
            ],
        ),
        Example(
            inputs={"document": DOC},
            outputs=[
                ("result", {"success": True, "role": "reader"}),
                ("share_link", _LINK),
                ("document", SHOWN),
            ],
        ),
    )

    @pins
    class Input(DocumentInput):
        """Input pins."""

        email: str = pin(default="", description="With whom; empty: with all who have the link.")
        role: str = pin(
            default="reader",
            title="ShareRole",
            schema={"enum": ["reader", "writer", "commenter"], "type": "string"},
            description="What they may do.",
        )
        send_notification: bool = pin(default=True, description="They get a mail.")
        message: str = pin(default="", description="What the mail says.")

    async def work(self, drive: ServiceCalls, document_id: str, inputs: Input) -> dict[str, Any]:
        """Share it."""
        if not inputs.email:
            await open_to_all(drive, document_id, inputs.role)
            return {"success": True, "role": inputs.role}
        mail = inputs.message if inputs.send_notification else None
        await share_with(drive, document_id, inputs.email, inputs.role, mail=mail)
        return {"success": True, "role": inputs.role, "email": inputs.email}


class GoogleDocsSetPublicAccessBlock(SharingDocsBase):
    """Lets all who have the link see a document in Google Docs, or nobody any more."""

    id = "d104f6e1-80af-4fe9-b5a1-3cab20081b6c"
    effect = Effect.IDEMPOTENT
    retries = 2
    examples = (
        Example(
            inputs={"document": DOC},
            outputs=[
                ("result", {"success": True, "is_public": True}),
                ("share_link", _LINK),
                ("document", SHOWN),
            ],
        ),
        Example(
            inputs={"document": DOC, "public": False},
            outputs=[
                ("result", {"success": True, "is_public": False}),
                ("share_link", _LINK),
                ("document", SHOWN),
            ],
        ),
    )

    @pins
    class Input(DocumentInput):
        """Input pins."""

        public: bool = pin(default=True, description="Whether they may.")
        role: str = pin(
            default="reader",
            title="PublicAccessRole",
            schema={"enum": ["reader", "commenter"], "type": "string"},
            description="What they may do.",
        )

    async def work(self, drive: ServiceCalls, document_id: str, inputs: Input) -> dict[str, Any]:
        """Let them, or do not."""
        if inputs.public:
            await open_to_all(drive, document_id, inputs.role)
        else:
            await close_to_all(drive, document_id)
        return {"success": True, "is_public": inputs.public}
