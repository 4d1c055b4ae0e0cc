"""A letter in the form of RFC 5322."""

from datetime import UTC, datetime
from email.headerregistry import HeaderRegistry, UniqueUnstructuredHeader
from email.message import EmailMessage
from email.policy import EmailPolicy, default
from email.utils import format_datetime
from typing import Final

from backend.core.clean_text import one_line
from backend.core.ids import derived_id
from backend.ports.mail import Letter


class _AsItIs(UniqueUnstructuredHeader):
    """An address on one line: a long one would be encoded as words, and no program would read it."""

    def fold(self, *, policy: "EmailPolicy[EmailMessage]") -> str:
        return f"{self.name}: {self}{policy.linesep}"  # type: ignore[attr-defined]


def _policy() -> "EmailPolicy[EmailMessage]":
    registry = HeaderRegistry()
    # typeshed wants the class that the registry itself mixes in.
    registry.map_to_type("list-unsubscribe", _AsItIs)  # type: ignore[arg-type]
    return default.clone(header_factory=registry)


_POLICY: Final = _policy()


def as_message(letter: Letter, *, sender: str) -> EmailMessage:
    """Return *letter* with a text and an HTML part; its key makes the Message-ID."""
    message = EmailMessage(policy=_POLICY)
    domain = sender.rpartition("@")[2].strip("> ") or "localhost"
    message["Message-ID"] = f"<{derived_id('letter', letter.key)}@{domain}>"
    message["Date"] = format_datetime(datetime.fromtimestamp(letter.sent_us / 1e6, UTC))
    message["From"] = sender
    message["To"] = letter.to
    # A line break in a name must not become a header of its own, nor may anything else that is no
    # letter or sign end it, or turn its direction.
    message["Subject"] = one_line(letter.subject, most=200)
    message["Auto-Submitted"] = "auto-generated"
    if letter.unsubscribe_url:
        # RFC 8058: mail programs show a button, and send a POST when it is pressed.
        message["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message
