"""Airtable: tables of a base and their fields, made and changed."""

from typing import Any, Final

from backend.blocks.airtable.service import MINE, AirtableBase, account_pin
from backend.sdk import Example, Json, JsonObject, pin, pins
from backend.sdk.calling import Makes, Reads, Sets
from backend.sdk.services import ServiceCalls, path_of

_KINDS: Final = (
    "singleLineText", "email", "url", "multilineText", "number", "percent", "currency",
    "singleSelect", "multipleSelects", "singleCollaborator", "multipleCollaborators",
    "multipleRecordLinks", "date", "dateTime", "phoneNumber", "multipleAttachments", "checkbox",
    "formula", "createdTime", "rollup", "count", "lookup", "multipleLookupValues", "autoNumber",
    "barcode", "rating", "richText", "duration", "lastModifiedTime", "button", "createdBy",
    "lastModifiedBy", "externalSyncSource", "aiText",
)  # fmt: skip
_FIRST_FIELD: Final = {"name": "Name", "type": "singleLineText"}
_IN: Final = {"base_id": "app1", "credentials": MINE}
#: For examples; the stand-in knows it.
_DEFAULT: Final = {"id": "tbl1", "name": "Default table"}


class AirtableListSchemaBlock(Reads, AirtableBase):
    """Lists the tables of a base at Airtable, with their fields and views."""

    id = "64291d3c-99b5-47b7-a976-6d94293cdb2d"
    examples = (
        Example(
            inputs={"base_id": "app2", "credentials": MINE},
            outputs=[("base_schema", {"tables": [_DEFAULT]}), ("tables", [_DEFAULT])],
        ),
        Example(
            inputs={"base_id": "none", "credentials": MINE}, error="status 404: Base not found"
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        base_id: str = pin(description="The base.")

    @pins
    class Output:
        """Output pins."""

        base_schema: dict[str, Any] = pin(description="All that Airtable says.")
        tables: list[dict[str, Any]] = pin(description="The tables.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """List them."""
        found = await calls.object("GET", f"meta/bases/{path_of(inputs.base_id)}/tables")
        return {"base_schema": found, "tables": calls.entries(found, "tables")}


class AirtableCreateTableBlock(Makes, AirtableBase):
    """Makes a table in a base at Airtable."""

    id = "fcc20ced-d817-42ea-9b40-c35e7bf34b4f"
    examples = (
        Example(
            inputs={**_IN, "table_name": "Pets"},
            outputs=[
                ("table", {"id": "tblNew", "name": "Pets", "fields": [_FIRST_FIELD]}),
                ("table_id", "tblNew"),
            ],
        ),
        Example(
            inputs={**_IN, "table_name": "People"},
            error="status 422: Table names must be unique",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        base_id: str = pin(description="The base.")
        table_name: str = pin(description="What the table is called.")
        table_fields: list[dict[str, Any]] = pin(
            default_factory=lambda: [dict(_FIRST_FIELD)],
            schema={
                "default": [dict(_FIRST_FIELD)],
                "items": {"additionalProperties": True, "type": "object"},
                "type": "array",
            },
            description="Its fields, as Airtable describes them; the first names the records.",
        )

    @pins
    class Output:
        """Output pins."""

        table: dict[str, Any] = pin(description="All that Airtable says of it.")
        table_id: str = pin(description="The table.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Make it."""
        value: JsonObject = {"name": inputs.table_name, "fields": list(inputs.table_fields)}
        path = f"meta/bases/{path_of(inputs.base_id)}/tables"
        table = await calls.object("POST", path, value=value)
        return {"table": table, "table_id": calls.need(table, str, "id")}


class AirtableUpdateTableBlock(Sets, AirtableBase):
    """Changes the name or description of a table at Airtable; what is not given stays."""

    id = "34077c5f-f962-49f2-9ec6-97c67077013a"
    examples = (
        Example(
            inputs={**_IN, "table_id": "tblPeople", "table_name": "Folk"},
            outputs=[("table", {"id": "tblPeople", "name": "Folk"})],
        ),
        Example(inputs={**_IN, "table_id": "tblPeople"}, error="there is nothing to change"),
        Example(
            inputs={**_IN, "table_id": "none", "table_name": "Folk"},
            error="status 404: Table not found",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        base_id: str = pin(description="The base.")
        table_id: str = pin(description="The table.")
        table_name: str | None = pin(default=None, description="What it is called.")
        table_description: str | None = pin(default=None, description="What it is for.")
        date_dependency: dict[str, Any] | None = pin(
            default=None, description="How dates of its records depend, as Airtable describes it."
        )

    @pins
    class Output:
        """Output pins."""

        table: dict[str, Any] = pin(description="All that Airtable says of it.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Change it."""
        value = _given(
            name=inputs.table_name or None,
            description=inputs.table_description,
            dateDependency=inputs.date_dependency,
        )
        path = f"meta/bases/{path_of(inputs.base_id)}/tables/{path_of(inputs.table_id)}"
        table = await calls.object("PATCH", path, value=value)
        calls.need(table, str, "id")
        return {"table": table}


class AirtableCreateFieldBlock(Makes, AirtableBase):
    """Adds a field to a table at Airtable."""

    id = "6c98a32f-dbf9-45d8-a2a8-5e97e8326351"
    examples = (
        Example(
            inputs={**_IN, "table_id": "tblPeople", "field_type": "email", "name": "Mail"},
            outputs=[
                ("field", {"id": "fldNew", "name": "Mail", "type": "email"}),
                ("field_id", "fldNew"),
            ],
        ),
        Example(
            inputs={**_IN, "table_id": "none", "name": "Mail"},
            error="status 404: Table not found",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        base_id: str = pin(description="The base.")
        table_id: str = pin(description="The table.")
        field_type: str = pin(
            default="singleLineText",
            advanced=False,
            title="TableFieldType",
            schema={"enum": list(_KINDS), "type": "string"},
            description="What it holds.",
        )
        name: str = pin(description="What it is called.")
        description: str | None = pin(default=None, description="What it is for.")
        options: dict[str, str] | None = pin(
            default=None, description="What its type wants to know besides."
        )

    @pins
    class Output:
        """Output pins."""

        field: dict[str, Any] = pin(description="All that Airtable says of it.")
        field_id: str = pin(description="The field.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Add it."""
        value = _given(
            name=inputs.name,
            type=inputs.field_type,
            description=inputs.description,
            options=None if inputs.options is None else dict[str, Json](inputs.options),
        )
        table = f"meta/bases/{path_of(inputs.base_id)}/tables/{path_of(inputs.table_id)}"
        field = await calls.object("POST", f"{table}/fields", value=value)
        return {"field": field, "field_id": calls.need(field, str, "id")}


class AirtableUpdateFieldBlock(Sets, AirtableBase):
    """Changes the name or description of a field at Airtable; what is not given stays."""

    id = "f46ac716-3b18-4da1-92e4-34ca9a464d48"
    examples = (
        Example(
            inputs={
                **_IN,
                "table_id": "tblPeople",
                "field_id": "fld1",
                "description": "As in the passport",
            },
            outputs=[("field", {"id": "fld1", "description": "As in the passport"})],
        ),
        Example(
            inputs={**_IN, "table_id": "tblPeople", "field_id": "fld1"},
            error="there is nothing to change",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        base_id: str = pin(description="The base.")
        table_id: str = pin(description="The table.")
        field_id: str = pin(description="The field.")
        name: str | None = pin(default=None, advanced=False, description="What it is called.")
        description: str | None = pin(default=None, advanced=False, description="What it is for.")

    @pins
    class Output:
        """Output pins."""

        field: dict[str, Any] = pin(description="All that Airtable says of it.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Change it."""
        value = _given(name=inputs.name or None, description=inputs.description)
        table = f"meta/bases/{path_of(inputs.base_id)}/tables/{path_of(inputs.table_id)}"
        path = f"{table}/fields/{path_of(inputs.field_id)}"
        field = await calls.object("PATCH", path, value=value)
        calls.need(field, str, "id")
        return {"field": field}


def _given(**values: Json) -> JsonObject:
    """Return what is given of *values*. Raises ValueError if that is nothing."""
    found: JsonObject = {name: value for name, value in values.items() if value is not None}
    if not found:
        raise ValueError("there is nothing to change")
    return found
