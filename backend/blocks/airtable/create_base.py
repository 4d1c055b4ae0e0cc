"""AirtableCreateBase: a base with tables, unless it is there."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.airtable.service import AIRTABLE, MINE, all_bases
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
from backend.sdk.services import path_of

_TABLE: Final = {"id": "tbl1", "name": "Default table"}


class AirtableCreateBaseBlock(Block):
    """Creates a base at Airtable with its tables, or finds the one of that name."""

    id = "f59b88a8-54ce-4676-a508-fd614b4e8dce"
    categories = (Category.DATA,)
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={"workspace_id": "wsp1", "name": "New", "credentials": MINE},
            outputs=[
                ("base_id", "appNew"),
                ("was_created", True),
                ("tables", [_TABLE]),
                ("table", _TABLE),
            ],
        ),
        Example(
            inputs={"workspace_id": "wsp1", "name": "Second", "credentials": MINE},
            outputs=[
                ("base_id", "app2"),
                ("was_created", False),
                ("tables", [_TABLE]),
                ("table", _TABLE),
            ],
        ),
        Example(
            inputs={"workspace_id": "none", "name": "New", "credentials": MINE},
            error="status 422: Workspace not found",
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
        workspace_id: str = pin(description="The workspace for it.")
        name: str = pin(description="The name of the base.")
        find_existing: bool = pin(
            default=True, description="Take the base of this name if there is one."
        )
        tables: list[dict[str, Any]] = pin(
            default_factory=lambda: [
                {
                    "description": "Default table",
                    "name": "Default table",
                    "fields": [
                        {
                            "description": "Auto-incrementing ID field",
                            "name": "ID",
                            "options": {"precision": 0},
                            "type": "number",
                        }
                    ],
                }
            ],
            schema={
                "default": [
                    {
                        "description": "Default table",
                        "name": "Default table",
                        "fields": [
                            {
                                "description": "Auto-incrementing ID field",
                                "name": "ID",
                                "options": {"precision": 0},
                                "type": "number",
                            }
                        ],
                    }
                ],
                "items": {"additionalProperties": True, "type": "object"},
                "type": "array",
            },
            description="Its tables, as Airtable describes them.",
        )

    @pins
    class Output:
        """Output pins."""

        base_id: str = pin(description="The base.")
        tables: list[dict[str, Any]] = pin(description="All its tables.")
        table: dict[str, Any] = pin(description="One of its tables.")
        was_created: bool = pin(default=True, description="Whether it is new.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the base, then its tables."""
        calls = AIRTABLE.calls(context, inputs.credentials)
        bases = await all_bases(calls) if inputs.find_existing else []
        existing = next((base for base in bases if base.get("name") == inputs.name), None)
        if existing is None:
            base = await calls.object(
                "POST",
                "meta/bases",
                value={
                    "name": inputs.name,
                    "workspaceId": inputs.workspace_id,
                    "tables": list(inputs.tables),
                },
            )
        else:
            found = await calls.object("GET", f"meta/bases/{path_of(existing['id'])}/tables")
            base = {"id": existing["id"], "tables": found.get("tables")}
        if not isinstance(base.get("id"), str):
            raise calls.nonsense("it names no base")
        tables = calls.entries(base, "tables")
        yield "base_id", base["id"]
        yield "was_created", existing is None
        yield "tables", tables
        for table in tables:
            yield "table", table
