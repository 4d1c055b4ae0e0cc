"""Airtable: records that are listed, read, changed and deleted."""

from typing import Any, Final

from backend.blocks.airtable.fields import metadata_of, whole
from backend.blocks.airtable.service import (
    MINE,
    MOST_RECORDS_AT_ONCE,
    AirtableBase,
    account_pin,
    table_of,
)
from backend.sdk import BadRequest, Example, JsonObject, pin, pins
from backend.sdk.calling import Reads, Sets
from backend.sdk.services import ServiceCalls, path_of

#: For examples; the stand-in knows them.
_ANN: Final = {"id": "rec1", "fields": {"Name": "Ann"}, "createdTime": "2026-01-31T13:37:00.000Z"}
_WHOLE: Final = {**_ANN, "fields": {"Name": "Ann", "Tags": [], "Active": False, "Age": None}}
_OBJECT: Final = {"additionalProperties": True, "type": "object"}
_PEOPLE: Final = {"base_id": "app1", "table_id_or_name": "People", "credentials": MINE}
_METADATA: Final = {
    "Name": {"id": "fld1", "type": "singleLineText"},
    "Tags": {"id": "fld2", "type": "multipleSelects"},
    "Active": {"id": "fld3", "type": "checkbox"},
    "Age": {"id": "fld4", "type": "number", "options": {"precision": 0}},
}


class AirtableListRecordsBlock(Reads, AirtableBase):
    """Lists records of a table at Airtable, one page with each run."""

    id = "588a9fde-5733-4da7-b03c-35f5671e960f"
    examples = (
        Example(
            inputs={**_PEOPLE, "filter_formula": "{Name}='Ann'", "normalize_output": False},
            outputs=[("records", [_ANN]), ("offset", "more")],
        ),
        Example(
            inputs={**_PEOPLE, "offset": "more", "include_field_metadata": True},
            outputs=[("records", [_WHOLE]), ("field_metadata", _METADATA)],
        ),
        Example(
            inputs={**_PEOPLE, "table_id_or_name": "Nobody", "normalize_output": False},
            error="status 404: Table not found",
        ),
        Example(
            inputs={**_PEOPLE, "sort": [{"direction": "asc"}]}, error="sort: each names a field"
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        base_id: str = pin(description="The base.")
        table_id_or_name: str = pin(description="The table, by id or name.")
        filter_formula: str = pin(
            default="", description="A formula of Airtable; only records for which it is true."
        )
        view: str = pin(default="", description="A view: its records, in its order.")
        sort: list[dict[str, Any]] = pin(
            default_factory=list,
            schema={"default": [], "items": _OBJECT, "type": "array"},
            description="By which fields: objects with field, and direction asc or desc.",
        )
        max_records: int = pin(default=100, description="Of all pages together.")
        page_size: int = pin(default=100, description="On this page; Airtable gives 100 at most.")
        offset: str = pin(default="", description="The page to give; empty: the first.")
        return_fields: list[str] = pin(
            default_factory=list,
            schema={"default": [], "items": {"type": "string"}, "type": "array"},
            description="Only these fields; empty: all.",
        )
        normalize_output: bool = pin(
            default=True,
            description="Put in the fields that are empty, which Airtable leaves out.",
        )
        include_field_metadata: bool = pin(
            default=False, description="Say of which types the fields are."
        )

    @pins
    class Output:
        """Output pins."""

        records: list[dict[str, Any]] = pin(description="The records of this page.")
        offset: str | None = pin(default=None, description="The next page, if there is one.")
        field_metadata: dict[str, Any] | None = pin(
            default=None, description="Id, type and options of each field, by its name."
        )

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """List one page."""
        query: dict[str, Any] = {
            "filterByFormula": inputs.filter_formula or None,
            "view": inputs.view or None,
            "maxRecords": inputs.max_records,
            "pageSize": min(max(inputs.page_size, 1), 100),
            "offset": inputs.offset or None,
            "fields[]": list(inputs.return_fields) or None,
            **_order(inputs.sort),
        }
        path = path_of(inputs.base_id, inputs.table_id_or_name)
        found = await calls.object("GET", path, query=query)
        records = calls.entries(found, "records")
        outputs: dict[str, Any] = {"records": records}
        if found.get("offset"):
            outputs["offset"] = str(found["offset"])
        if inputs.normalize_output or inputs.include_field_metadata:
            table = await table_of(calls, inputs.base_id, inputs.table_id_or_name)
            if inputs.normalize_output:
                wanted = set(inputs.return_fields)
                outputs["records"] = [whole(calls, each, table, only=wanted) for each in records]
            if inputs.include_field_metadata:
                outputs["field_metadata"] = metadata_of(calls, table)
        return outputs


class AirtableGetRecordBlock(Reads, AirtableBase):
    """Reads a record of a table at Airtable."""

    id = "c29c5cbf-0aff-40f9-bbb5-f26061792d2b"
    examples = (
        Example(
            inputs={**_PEOPLE, "record_id": "rec1"},
            outputs=[
                ("id", "rec1"),
                ("fields", _WHOLE["fields"]),
                ("created_time", "2026-01-31T13:37:00.000Z"),
            ],
        ),
        Example(
            inputs={**_PEOPLE, "record_id": "rec9", "normalize_output": False},
            error="status 404: Record not found",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        base_id: str = pin(description="The base.")
        table_id_or_name: str = pin(description="The table, by id or name.")
        record_id: str = pin(description="The record.")
        normalize_output: bool = pin(
            default=True,
            description="Put in the fields that are empty, which Airtable leaves out.",
        )
        include_field_metadata: bool = pin(
            default=False, description="Say of which types the fields are."
        )

    @pins
    class Output:
        """Output pins."""

        id: str = pin(description="The record.")
        fields: dict[str, Any] = pin(description="Its values, by the names of fields.")
        created_time: str = pin(description="When it was made.")
        field_metadata: dict[str, Any] | None = pin(
            default=None, description="Id, type and options of each field, by its name."
        )

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Read it."""
        path = path_of(inputs.base_id, inputs.table_id_or_name, inputs.record_id)
        record: dict[str, Any] = await calls.object("GET", path)
        metadata = {}
        if inputs.normalize_output or inputs.include_field_metadata:
            table = await table_of(calls, inputs.base_id, inputs.table_id_or_name)
            if inputs.normalize_output:
                record = whole(calls, record, table)
            if inputs.include_field_metadata:
                metadata = {"field_metadata": metadata_of(calls, table)}
        return {
            "id": calls.need(record, str, "id"),
            "fields": calls.need(record, dict, "fields"),
            "created_time": calls.need(record, str, "createdTime"),
            **metadata,
        }


class AirtableUpdateRecordsBlock(Sets, AirtableBase):
    """Changes fields of records at Airtable, ten records with each request."""

    id = "6e7d2590-ac2b-4b5d-b08c-fc039cd77e1f"
    examples = (
        Example(
            inputs={**_PEOPLE, "records": [{"id": "rec1", "fields": {"Age": 41}}]},
            outputs=[("records", [{**_ANN, "fields": {"Name": "Ann", "Age": 41}}])],
        ),
        Example(
            inputs={**_PEOPLE, "records": [{"fields": {"Age": 41}}]},
            error="records: each has an id and fields",
        ),
        Example(
            inputs={**_PEOPLE, "records": [{"id": "rec9", "fields": {}}]},
            error="status 404: Record not found",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        base_id: str = pin(description="The base.")
        table_id_or_name: str = pin(description="The table, by id or name.")
        records: list[dict[str, Any]] = pin(
            description="Objects with the id of a record, and the fields that change."
        )
        typecast: bool | None = pin(
            default=None, description="Let Airtable convert texts to what a field takes."
        )

    @pins
    class Output:
        """Output pins."""

        records: list[dict[str, Any]] = pin(description="The records as they are now.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Change them."""
        for each in inputs.records:
            if not (isinstance(each.get("id"), str) and isinstance(each.get("fields"), dict)):
                raise BadRequest("records: each has an id and fields")
        path, changed = path_of(inputs.base_id, inputs.table_id_or_name), []
        for start in range(0, len(inputs.records), MOST_RECORDS_AT_ONCE):
            some = [
                {"id": each["id"], "fields": each["fields"]}
                for each in inputs.records[start : start + MOST_RECORDS_AT_ONCE]
            ]
            value: JsonObject = {"records": list(some)}
            if inputs.typecast is not None:
                value["typecast"] = inputs.typecast
            changed += calls.entries(await calls.object("PATCH", path, value=value), "records")
        return {"records": changed}


class AirtableDeleteRecordsBlock(Sets, AirtableBase):
    """Deletes records at Airtable, ten with each request."""

    id = "93e22b8b-3642-4477-aefb-1c0929a4a3a6"
    examples = (
        Example(
            inputs={**_PEOPLE, "record_ids": ["rec1"]},
            outputs=[("records", [{"id": "rec1", "deleted": True}])],
        ),
        Example(inputs={**_PEOPLE, "record_ids": ["rec9"]}, error="status 404: Record not found"),
        Example(inputs={**_PEOPLE, "record_ids": []}, outputs=[("records", [])]),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        base_id: str = pin(description="The base.")
        table_id_or_name: str = pin(description="The table, by id or name.")
        record_ids: list[str] = pin(description="The records.")

    @pins
    class Output:
        """Output pins."""

        records: list[dict[str, Any]] = pin(description="Ids, each with whether it is deleted.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Delete them."""
        path, deleted = path_of(inputs.base_id, inputs.table_id_or_name), []
        for start in range(0, len(inputs.record_ids), MOST_RECORDS_AT_ONCE):
            some = inputs.record_ids[start : start + MOST_RECORDS_AT_ONCE]
            found = await calls.object("DELETE", path, query={"records[]": some})
            deleted += calls.entries(found, "records")
        return {"records": deleted}


def _order(sort: list[dict[str, Any]]) -> dict[str, str]:
    """Return *sort* as parameters of an address. Raises ValueError for what is none."""
    found: dict[str, str] = {}
    for place, each in enumerate(sort):
        field, direction = each.get("field"), each.get("direction", "asc")
        if not isinstance(field, str) or direction not in ("asc", "desc"):
            raise ValueError("sort: each names a field, and asc or desc as its direction")
        found[f"sort[{place}][field]"] = field
        found[f"sort[{place}][direction]"] = direction
    return found
