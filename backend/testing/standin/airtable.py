"""Plays Airtable: two bases, on a page each; the first has People, who are listed and changed."""

from typing import Any, Final

from backend.testing.standin.messages import Asked, Reply

_TABLES: Final = [{"id": "tbl1", "name": "Default table"}]
_PEOPLE: Final = {
    "id": "tblPeople",
    "name": "People",
    "fields": [
        {"id": "fld1", "name": "Name", "type": "singleLineText"},
        {"id": "fld2", "name": "Tags", "type": "multipleSelects"},
        {"id": "fld3", "name": "Active", "type": "checkbox"},
        {"id": "fld4", "name": "Age", "type": "number", "options": {"precision": 0}},
    ],
}
_AT: Final = "2026-01-31T13:37:00.000Z"
_ANN: Final = {"id": "rec1", "fields": {"Name": "Ann"}, "createdTime": _AT}
_AT_ONCE: Final = 10
_META: Final = "/meta/bases"


class Airtable:
    """Remembers the records that are added."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def answer(self, asked: Asked) -> Reply:
        """Answer as its API does."""
        if not asked.has_bearer:
            return _refused(401, "AUTHENTICATION_REQUIRED", "Authentication required")
        if asked.path == _META:
            return self._bases(asked)
        parts = asked.path.strip("/").split("/")
        if asked.path.startswith(_META):
            return self._schema(asked, parts[2], parts[4:])
        if parts[:2] not in (["app1", "People"], ["app1", "tblPeople"]):
            return _refused(404, "TABLE_NOT_FOUND", "Table not found")
        return self._of_people(asked, parts[2:])

    def _bases(self, asked: Asked) -> Reply:
        if asked.method == "POST":
            if asked.json()["workspaceId"] == "wsp1":
                return Reply(value={"id": "appNew", "tables": _TABLES})
            return _refused(422, "INVALID_REQUEST", "Workspace not found")
        if asked.one("offset") == "more":
            return Reply(value={"bases": [{"id": "app2", "name": "Second"}]})
        return Reply(value={"bases": [{"id": "app1", "name": "First"}], "offset": "more"})

    def _schema(self, asked: Asked, base: str, rest: list[str]) -> Reply:
        if base not in ("app1", "app2"):
            return _refused(404, "NOT_FOUND", "Base not found")
        if not rest:
            if asked.method == "GET":
                return Reply(value={"tables": [_PEOPLE] if base == "app1" else _TABLES})
            told = asked.json()
            if told["name"] == "People":
                return _refused(422, "DUPLICATE_TABLE_NAME", "Table names must be unique")
            return Reply(value={"id": "tblNew", **told})
        if rest[0] != "tblPeople":
            return _refused(404, "TABLE_NOT_FOUND", "Table not found")
        id_ = {1: "tblPeople", 2: "fldNew", 3: rest[-1]}[len(rest)]
        return Reply(value={"id": id_, **asked.json()})

    def _of_people(self, asked: Asked, rest: list[str]) -> Reply:
        if asked.method == "POST":
            return self._added(asked.json()["records"])
        if asked.method == "GET" and not rest:
            more = {} if asked.one("offset") else {"offset": "more"}
            return Reply(value={"records": [_ANN], **more})
        if asked.method == "GET":
            return Reply(value=_ANN) if rest == ["rec1"] else _no_record()
        if asked.method == "DELETE":
            ids = asked.query.get("records[]", [])
            if len(ids) > _AT_ONCE:
                return _refused(422, "INVALID_REQUEST", "Too many records")
            if "rec9" in ids:
                return _no_record()
            return Reply(value={"records": [{"id": each, "deleted": True} for each in ids]})
        return self._changed(asked.json()["records"])

    def _changed(self, records: list[dict[str, Any]]) -> Reply:
        if len(records) > _AT_ONCE:
            return _refused(422, "INVALID_REQUEST", "Too many records")
        if any(each["id"] == "rec9" for each in records):
            return _no_record()
        made = [
            {**_ANN, "id": each["id"], "fields": {"Name": "Ann", **each["fields"]}}
            for each in records
        ]
        return Reply(value={"records": made})

    def _added(self, records: list[dict[str, Any]]) -> Reply:
        if len(records) > _AT_ONCE:
            return _refused(422, "INVALID_REQUEST", "Too many records")
        made = [
            {"id": f"rec{number}", "fields": each["fields"], "createdTime": _AT}
            for number, each in enumerate(records)
        ]
        self.records += made
        return Reply(value={"records": made})


def _no_record() -> Reply:
    return _refused(404, "NOT_FOUND", "Record not found")


def _refused(status: int, kind: str, words: str) -> Reply:
    return Reply(status=status, value={"error": {"type": kind, "message": words}})
