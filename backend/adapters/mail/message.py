"""A letter in the form of RFC 5322."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from backend.core.ids import derived_id
from backend.ports.mail import Letter


def as_message(letter: Letter, *, sender: str) -> EmailMessage:
    """Return *letter* with a text and an HTML part; its key makes the Message-ID."""
    message = EmailMessage()
    domain = sender.rpartition("@")[2].strip("> ") or "localhost"
    message["Message-ID"] = f"<{derived_id('letter', letter.key)}@{domain}>"
    message["Date"] = format_datetime(datetime.fromtimestamp(letter.sent_us / 1e6, UTC))
    message["From"] = sender
    message["To"] = letter.to
    # A line break in a name must not become a header of its own.
    message["Subject"] = " ".join(letter.subject.split())[:200]
    message["Auto-Submitted"] = "auto-generated"
    if letter.unsubscribe_url:
        # RFC 8058: mail programs show a button, and send a POST when it is pressed.
        message["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message
