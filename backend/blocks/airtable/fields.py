"""Fields of tables at Airtable: what is empty in a record, and of which types they are."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from backend.sdk.services import ServiceCalls

#: What stands for nothing, by type; for all others nothing does.
_TEXTS: Final = frozenset(
    {"singleLineText", "multilineText", "richText", "email", "url", "phoneNumber"}
)
_LISTS: Final = frozenset(
    {"multipleSelects", "multipleCollaborators", "multipleRecordLinks", "multipleAttachments",
     "multipleLookupValues", "lookup"}
)  # fmt: skip


def whole(
    calls: ServiceCalls,
    record: Mapping[str, Any],
    table: Mapping[str, Any],
    *,
    only: Collection[str] = (),
) -> dict[str, Any]:
    """
    Return *record* with the fields of *table* that it leaves out, because they are empty.

    Args:
        only: Names or ids of the fields that were asked for; empty: all.
    """
    there = calls.need(record, dict, "fields")
    fields = {
        field["name"]: there.get(field["name"], _nothing(field.get("type")))
        for field in _fields(calls, table)
        if not only or field["name"] in only or field["id"] in only
    }
    return {**record, "fields": {**fields, **there}}


def metadata_of(calls: ServiceCalls, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return id, type and options of each field of *table*, by its name."""
    words = ("id", "type", "options", "description")
    return {
        field["name"]: {word: field[word] for word in words if field.get(word) is not None}
        for field in _fields(calls, table)
    }


def _fields(calls: ServiceCalls, table: Mapping[str, Any]) -> list[dict[str, Any]]:
    fields = calls.entries(table, "fields")
    for field in fields:
        calls.need(field, str, "name")
        calls.need(field, str, "id")
    return fields


def _nothing(kind: Any) -> Any:
    if kind in _LISTS:
        return []
    if kind in _TEXTS:
        return ""
    return False if kind == "checkbox" else None
