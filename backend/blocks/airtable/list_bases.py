"""AirtableListBases: the bases that credentials open."""

from collections.abc import AsyncIterator
from typing import Any

from backend.blocks.airtable.service import AIRTABLE, MINE
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    credentials_pin,
    pin,
    pins,
)


class AirtableListBasesBlock(Block):
    """Lists the bases at Airtable that the credentials open, page by page."""

    id = "4bd8d466-ed5d-4e44-8083-97f25a8044e7"
    categories = (Category.DATA,)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"credentials": MINE},
            outputs=[("bases", [{"id": "app1", "name": "First"}]), ("offset", "more")],
        ),
        Example(
            inputs={"offset": "more", "credentials": MINE},
            outputs=[("bases", [{"id": "app2", "name": "Second"}])],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["airtable"],
            [CredentialsKind.KEY, CredentialsKind.OAUTH2],
            of_package=True,
            description="A personal access token, or an account.",
        )
        trigger: str = pin(
            default="manual", description="Anything: what comes here starts the block."
        )
        offset: str = pin(default="", description="The page to give; empty: the first.")

    @pins
    class Output:
        """Output pins."""

        bases: list[dict[str, Any]] = pin(description="The bases of this page.")
        offset: str | None = pin(default=None, description="The next page, if there is one.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the bases of one page, and how the next is asked for."""
        calls = AIRTABLE.calls(context, inputs.credentials)
        found = await calls.object("GET", "meta/bases", query={"offset": inputs.offset or None})
        yield "bases", calls.entries(found, "bases")
        if found.get("offset"):
            yield "offset", str(found["offset"])
