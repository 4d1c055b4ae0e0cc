"""Plays Google: one account with mails, spreadsheets, files and a calendar."""

from email.message import EmailMessage
from typing import Any, Final

from backend.testing.standin.docs import Docs
from backend.testing.standin.gmail import Gmail
from backend.testing.standin.messages import Asked, Reply
from backend.testing.standin.sheets import Sheets

_TALK: Final[dict[str, Any]] = {
    "id": "e1",
    "summary": "Talk",
    "start": {"dateTime": "2026-02-01T10:00:00Z"},
    "end": {"dateTime": "2026-02-01T11:00:00Z"},
    "location": "Oslo",
    "organizer": {"email": "ann@example.com"},
    "attendees": [{"email": "ann@example.com"}, {"email": "bob@example.com"}],
    "hangoutLink": "https://meet.google.com/abc",
    "htmlLink": "https://calendar.google.com/event?eid=e1",
}
_DECLINED: Final[dict[str, Any]] = {
    "id": "e2",
    "summary": "Dinner",
    "start": {"date": "2026-02-02"},
    "end": {"date": "2026-02-03"},
    "attendees": [{"email": "ann@example.com", "self": True, "responseStatus": "declined"}],
    "recurringEventId": "e0",
}


class Google:
    """
    The account.

    Attributes:
        events: What was put into the calendar, by the id that it was given.
        rights: Who was let in: the id of a file, and how.
    """

    def __init__(self) -> None:
        self.mail = Gmail()
        self.sheets = Sheets()
        self.docs = Docs()
        self.events: dict[str, dict[str, Any]] = {}
        self.rights: list[tuple[str, dict[str, Any]]] = []

    @property
    def sent(self) -> list[EmailMessage]:
        """The mails that were handed over."""
        return self.mail.sent

    @property
    def drafts(self) -> list[EmailMessage]:
        """The mails that were kept."""
        return self.mail.drafts

    def answer(self, asked: Asked) -> Reply:
        """Answer as the service does whose address is asked."""
        if not asked.has_bearer:
            return _refused(401, "Request had invalid authentication credentials.")
        service = asked.path.split("/")[1]
        if service == "sheets":
            return self.sheets.answer(asked)
        if service == "docs":
            return self.docs.answer(asked)
        if service == "drive":
            return self._drive(asked)
        return self._calendar(asked) if service == "calendar" else self.mail.answer(asked)

    def _drive(self, asked: Asked) -> Reply:
        _, _, _, _, key, part, *right = asked.path.split("/")
        if part == "export":
            return self.docs.exported(asked, key)
        if asked.method == "POST":
            self.rights.append((key, asked.json()))
            return Reply(value={"id": str(len(self.rights))})
        if asked.method == "GET":
            found = [
                {"id": str(number), "type": given["type"]}
                for number, (file, given) in enumerate(self.rights, 1)
                if file == key
            ]
            return Reply(value={"permissions": found})
        self.rights[int(right[0]) - 1] = ("", {})
        return Reply(status=204, body=b"")

    def _calendar(self, asked: Asked) -> Reply:
        _, _, _, _, calendar, _, *event = asked.path.split("/")
        if calendar == "gone":
            return _refused(404, "Not Found")
        if event:
            return Reply(value=self.events[event[0]])
        if asked.method == "GET":
            if not asked.one("timeMin").endswith(("Z", "+00:00")):
                return _refused(400, "Bad Request")
            more = {} if asked.one("pageToken") else {"nextPageToken": "second"}
            return Reply(value={"items": [_TALK, _DECLINED], **more})
        given = asked.json()
        if given.get("id") in self.events:
            return _refused(409, "The requested identifier already exists.")
        link = "https://calendar.google.com/event?eid=made"
        made = {**given, "id": given.get("id", "made"), "htmlLink": link}
        self.events[made["id"]] = made
        return Reply(value=made)


def _refused(status: int, words: str) -> Reply:
    return Reply(status=status, value={"error": {"code": status, "message": words}})
