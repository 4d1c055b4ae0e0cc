"""AirtableCreateRecords: new rows of a table."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.airtable.service import AIRTABLE, MINE, MOST_RECORDS_AT_ONCE
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

_RECORD: Final = {
    "id": "rec0",
    "fields": {"Name": "Ann"},
    "createdTime": "2026-01-31T13:37:00.000Z",
}


class AirtableCreateRecordsBlock(Block):
    """Adds records to a table at Airtable, ten with each request."""

    id = "42527e98-47b6-44ce-ac0e-86b4883721d3"
    categories = (Category.DATA,)
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={
                "base_id": "app1",
                "table_id_or_name": "People",
                "records": [{"fields": {"Name": "Ann"}}],
                "credentials": MINE,
            },
            outputs=[("records", [_RECORD])],
        ),
        Example(
            inputs={
                "base_id": "app1",
                "table_id_or_name": "Nobody",
                "records": [{"Name": "Ann"}],
                "credentials": MINE,
            },
            error="status 404: Table not found",
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
        base_id: str = pin(description="The base.")
        table_id_or_name: str = pin(description="The table, by id or name.")
        records: list[dict[str, Any]] = pin(description="The records: objects of fields by name.")
        skip_normalization: bool = pin(
            default=False, description="Send the records just as they are."
        )
        typecast: bool = pin(
            default=False, description="Let Airtable convert texts to what a field takes."
        )
        return_fields_by_field_id: bool | None = pin(
            default=None, description="Give fields by their ids."
        )

    @pins
    class Output:
        """Output pins."""

        records: list[dict[str, Any]] = pin(description="The records as they were made.")
        details: dict[str, Any] = pin(description="What Airtable says besides.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the records as they were made."""
        calls = AIRTABLE.calls(context, inputs.credentials)
        wanted = [
            each if inputs.skip_normalization or "fields" in each else {"fields": each}
            for each in inputs.records
        ]
        made: list[dict[str, Any]] = []
        details: dict[str, Any] = {}
        path = path_of(inputs.base_id, inputs.table_id_or_name)
        for start in range(0, len(wanted), MOST_RECORDS_AT_ONCE):
            options: dict[str, Any] = {"typecast": inputs.typecast}
            if inputs.return_fields_by_field_id is not None:
                options["returnFieldsByFieldId"] = inputs.return_fields_by_field_id
            some: list[Any] = wanted[start : start + MOST_RECORDS_AT_ONCE]
            answer = await calls.object("POST", path, value={"records": some, **options})
            made += calls.entries(answer, "records")
            details = {**details, **(answer.get("details") or {})}
        yield "records", made
        if details:
            yield "details", details
