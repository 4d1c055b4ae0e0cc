"""Airtable: records in tens, what is empty in them, and how a list is asked for."""

from typing import Any

import pytest

from backend.blocks.airtable.fields import metadata_of, whole
from backend.blocks.airtable.records import (
    AirtableDeleteRecordsBlock,
    AirtableListRecordsBlock,
    AirtableUpdateRecordsBlock,
)
from backend.blocks.airtable.service import AIRTABLE, MINE
from backend.blocks.airtable.tables import AirtableCreateFieldBlock
from backend.core.errors import BlockError, WebFailed
from backend.sdk import BlockContext
from backend.testing.blocks import CONTEXT, outputs_of
from backend.testing.standin import StandIn
from backend.testing.standin.messages import Reply

PEOPLE = {"base_id": "app1", "table_id_or_name": "People", "credentials": MINE}
TABLE: dict[str, Any] = {
    "fields": [
        {"id": f"fld{number}", "name": kind, "type": kind}
        for number, kind in enumerate(
            ("email", "multipleAttachments", "checkbox", "number", "singleSelect")
        )
    ]
}


async def test_records_are_changed_and_deleted_in_tens(
    services: StandIn, played: BlockContext
) -> None:
    ids = [f"rec{number}" for number in range(10, 35)]
    changes = [{"id": id_, "fields": {"Age": 1}, "createdTime": "before"} for id_ in ids]

    changed = await outputs_of(
        AirtableUpdateRecordsBlock(), {**PEOPLE, "records": changes, "typecast": True}, played
    )
    deleted = await outputs_of(AirtableDeleteRecordsBlock(), {**PEOPLE, "record_ids": ids}, played)

    assert [each["id"] for each in dict(changed)["records"]] == ids
    assert [each["id"] for each in dict(deleted)["records"]] == ids
    patches = [each.json() for each in services.asked if each.method == "PATCH"]
    assert [len(each["records"]) for each in patches] == [10, 10, 5]
    assert all(each["typecast"] is True for each in patches)
    assert patches[0]["records"][0] == {"id": "rec10", "fields": {"Age": 1}}


async def test_a_list_is_asked_for_as_airtable_wants_it(
    services: StandIn, played: BlockContext
) -> None:
    asked = {
        **PEOPLE,
        "sort": [{"field": "Name"}, {"field": "Age", "direction": "desc"}],
        "return_fields": ["Name"],
        "page_size": 1_000,
        "view": "Grid",
    }

    outputs = dict(await outputs_of(AirtableListRecordsBlock(), asked, played))

    sent = services.asked[0].query
    assert sent["sort[0][field]"] == ["Name"]
    assert sent["sort[1][direction]"] == ["desc"]
    assert sent["fields[]"] == ["Name"]
    assert sent["pageSize"] == ["100"]
    # What was not asked for is not put in as empty.
    assert outputs["records"][0]["fields"] == {"Name": "Ann"}


async def test_without_any_need_the_schema_is_not_read(
    services: StandIn, played: BlockContext
) -> None:
    await outputs_of(AirtableListRecordsBlock(), {**PEOPLE, "normalize_output": False}, played)

    assert [each.path for each in services.asked] == ["/app1/People"]


async def test_a_table_is_found_by_its_id_too(services: StandIn, played: BlockContext) -> None:
    asked = {**PEOPLE, "table_id_or_name": "tblPeople"}

    outputs = dict(await outputs_of(AirtableListRecordsBlock(), asked, played))

    assert outputs["records"][0]["fields"]["Tags"] == []
    assert len(services.asked) == 2


async def test_a_table_that_the_schema_lacks_is_told(
    services: StandIn, played: BlockContext
) -> None:
    services.next("airtable", Reply(value={"records": []}), Reply(value={"tables": []}))

    with pytest.raises(BlockError, match="has no table 'People'"):
        await outputs_of(AirtableListRecordsBlock(), PEOPLE, played)


def test_what_is_empty_is_empty_by_its_type() -> None:
    calls = AIRTABLE.calls(CONTEXT)

    full = whole(calls, {"id": "r", "fields": {"number": 0, "old": 1}}, TABLE)

    assert full["fields"] == {
        "email": "",
        "multipleAttachments": [],
        "checkbox": False,
        "number": 0,
        "singleSelect": None,
        "old": 1,
    }
    assert whole(calls, {"fields": {}}, TABLE, only={"fld0"})["fields"] == {"email": ""}
    assert metadata_of(calls, TABLE)["email"] == {"id": "fld0", "type": "email"}
    with pytest.raises(WebFailed):
        whole(calls, {"fields": {}}, {"fields": [{"name": "x"}]})


async def test_options_of_a_field_go_along(services: StandIn, played: BlockContext) -> None:
    asked = {
        "base_id": "app1",
        "table_id": "tblPeople",
        "name": "Done",
        "field_type": "checkbox",
        "options": {"icon": "check", "color": "greenBright"},
        "credentials": MINE,
    }

    await outputs_of(AirtableCreateFieldBlock(), asked, played)

    assert services.asked[0].json() == {
        "name": "Done",
        "type": "checkbox",
        "options": {"icon": "check", "color": "greenBright"},
    }
