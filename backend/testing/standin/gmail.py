"""Plays Gmail: two mails, three labels, conversations, and what is sent or drafted."""

import base64
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Final

from backend.testing.standin.messages import Asked, Reply

_PLACE: Final = "/gmail/v1/users/me/"


def _mail(number: int) -> dict[str, Any]:
    text = base64.urlsafe_b64encode(b"How are you?").decode().rstrip("=")
    page = base64.urlsafe_b64encode(b"<style>p {}</style><p>How <b>are</b> you?</p>").decode()
    written = {
        "From": "Bob <bob@example.com>",
        "To": "author@example.com",
        "Subject": "Hello",
        "Date": "Fri, 30 Jan 2026 10:00:00 +0000",
        "Message-ID": f"<m{number}@example.com>",
        "References": "<m0@example.com>",
    }
    pdf = {
        "filename": "plan.pdf",
        "mimeType": "application/pdf",
        "body": {"attachmentId": "a1", "size": 1024},
    }
    return {
        "id": f"m{number}",
        "threadId": f"t{number}",
        "labelIds": ["INBOX", "UNREAD"],
        "snippet": "How are you?",
        "sizeEstimate": 2048,
        "payload": {
            "mimeType": "multipart/mixed",
            "filename": "",
            "headers": [{"name": name, "value": value} for name, value in written.items()],
            "parts": [
                {"mimeType": "text/html", "filename": "", "body": {"data": page}},
                *(
                    [{"mimeType": "text/plain", "filename": "", "body": {"data": text}}]
                    * (number == 1)
                ),
                pdf,
            ],
        },
    }


class Gmail:
    """
    One account.

    Attributes:
        sent: The mails that were handed over.
        drafts: Those that were kept.
    """

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []
        self.drafts: list[EmailMessage] = []

    def answer(self, asked: Asked) -> Reply:  # noqa: C901 - a table of addresses
        """Answer as version 1 of its API does."""
        match [asked.method, *asked.path.removeprefix(_PLACE).split("/")]:
            case ["GET", "profile"]:
                counts = {"messagesTotal": 2, "threadsTotal": 2, "historyId": "77"}
                return Reply(value={"emailAddress": "author@example.com", **counts})
            case ["GET", "messages"]:
                return self._page(asked)
            case ["GET", "messages", ("m1" | "m2") as name]:
                return Reply(value=_mail(int(name[1:])))
            case ["GET", "messages", ("m1" | "m2"), "attachments", "a1"]:
                return Reply(value={"size": 4, "data": base64.urlsafe_b64encode(b"%PDF").decode()})
            case ["GET", "threads", ("t1" | "t2") as name]:
                found = {"id": name, "historyId": "77", "messages": [_mail(int(name[1:]))]}
                return Reply(value=found)
            case ["GET", "threads", "t3"]:
                return Reply(value={"id": "t3", "historyId": "77", "messages": []})
            case ["GET", "labels"]:
                labels = [{"id": "INBOX", "name": "INBOX"}, {"id": "Label_1", "name": "Work"}]
                return Reply(value={"labels": labels})
            case ["POST", "messages", name, "modify"]:
                return Reply(value={"id": name})
            case ["POST", "labels"]:
                return Reply(value={"id": "Label_2", **asked.json()})
            case ["POST", "messages", "send"]:
                self.sent.append(_message(asked.json()))
                return Reply(value=_made(asked.json(), "SENT"))
            case ["POST", "drafts"]:
                given = asked.json()["message"]
                self.drafts.append(_message(given))
                return Reply(value={"id": "r1", "message": _made(given, "DRAFT")})
            case _:
                words = "Requested entity was not found."
                return Reply(status=404, value={"error": {"code": 404, "message": words}})

    def _page(self, asked: Asked) -> Reply:
        if asked.one("q") == "from:nobody":
            return Reply(value={"resultSizeEstimate": 0})
        number = 2 if asked.one("pageToken") else 1
        found = {"messages": [{"id": f"m{number}", "threadId": f"t{number}"}]}
        more = {"nextPageToken": "second"} if number == 1 else {}
        return Reply(value={**found, **more, "resultSizeEstimate": 2})


def _message(given: dict[str, Any]) -> EmailMessage:
    message = message_from_bytes(base64.urlsafe_b64decode(given["raw"]), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def _made(given: dict[str, Any], label: str) -> dict[str, Any]:
    return {"id": "s1", "threadId": given.get("threadId", "t9"), "labelIds": [label]}
