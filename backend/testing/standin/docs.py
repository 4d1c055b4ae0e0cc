"""Plays Google Docs: one letter, of which what is asked is noted, and nothing is changed."""

from typing import Any, Final

from backend.testing.standin.messages import Asked, Reply

_END: Final = 37


def _paragraph(text: str, start: int, style: str = "NORMAL_TEXT", **more: Any) -> dict[str, Any]:
    runs = [{"textRun": {"content": f"{text}\n"}}]
    paragraph = {"elements": runs, "paragraphStyle": {"namedStyleType": style}, **more}
    return {"startIndex": start, "endIndex": start + len(text) + 1, "paragraph": paragraph}


_CELL: Final = {"content": [_paragraph("Oslo", 31)]}
_LETTER: Final[dict[str, Any]] = {
    "documentId": "doc",
    "title": "Letter",
    "revisionId": "r1",
    "body": {
        "content": [
            {"endIndex": 1, "sectionBreak": {}},
            _paragraph("Dear Bob", 1, "HEADING_1"),
            _paragraph("I like cats.", 10),
            _paragraph("Milk", 23, bullet={"listId": "l"}),
            {
                "startIndex": 28,
                "endIndex": _END,
                "table": {"rows": 1, "columns": 1, "tableRows": [{"tableCells": [_CELL]}]},
            },
        ]
    },
}
_FORMS: Final = {"text/plain": b"\xef\xbb\xbfDear Bob", "application/pdf": b"%PDF-"}


class Docs:
    """*done*: the requests of batches, the oldest first."""

    def __init__(self) -> None:
        self.done: list[dict[str, Any]] = []

    def answer(self, asked: Asked) -> Reply:
        """Answer as version 1 of its API does."""
        name = asked.path.removeprefix("/docs/v1/documents").strip("/")
        if not name:
            return Reply(value={**_LETTER, "documentId": "made", "title": asked.json()["title"]})
        key, _, verb = name.partition(":")
        if key not in ("doc", "made"):
            return missing()
        return self._changed(asked.json()["requests"]) if verb else Reply(value=_LETTER)

    def _changed(self, requests: list[dict[str, Any]]) -> Reply:
        for request in requests:
            [(kind, told)] = request.items()
            index = (told.get("location") or {}).get("index", 1)
            if index >= _END:
                words = f"Index {index} must be less than the end index of the referenced segment."
                return Reply(status=400, value={"error": {"code": 400, "message": words}})
            self.done.append({kind: told})
        replies = [
            {"replaceAllText": {"occurrencesChanged": 1}} if "replaceAllText" in each else {}
            for each in requests
        ]
        return Reply(value={"documentId": "doc", "replies": replies})

    def exported(self, asked: Asked, key: str) -> Reply:
        """Answer as Drive does, which has the other forms."""
        if key != "doc":
            return missing()
        kind = asked.one("mimeType")
        return Reply(body=_FORMS.get(kind, b"other"), media_type=kind)


def missing() -> Reply:
    """Return the answer about a file that is not there."""
    words = "Requested entity was not found."
    return Reply(status=404, value={"error": {"code": 404, "message": words}})
