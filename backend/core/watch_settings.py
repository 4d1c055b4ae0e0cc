"""What an owner says of a watch: the pins of its trigger, checked and read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from backend.core.errors import BadRequest
from backend.core.watches import WatchKind, digest

#: A day between two looks at the most.
MOST_S: Final = 86_400
#: A folder of this machine is looked at as often as its owner likes.
_FOLDER_LEAST_S: Final = 1
#: Who rings when there is something is asked so often all the same: a ring may be lost.
_RINGS_S: Final = 600.0
_MAX_TEXT: Final = 2_000
_MAX_URL: Final = 8_000
_FOLDER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_PORTS: Final = range(1, 65_536)


@dataclass(frozen=True, kw_only=True, slots=True)
class MailWatch:
    """Mails in a mailbox. Filters are parts of what stands there, in any case; empty: all."""

    host: str
    port: int
    mailbox: str
    sender: str
    subject: str
    every_s: float
    idle: bool  #: be told of new mail where the server can

    def source(self, credentials_id: str) -> str:
        """Return what stands for the place: with another one, all begins anew."""
        return digest(self.host.lower(), self.port, self.mailbox, credentials_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderWatch:
    """
    Files in a folder below the owner's drop folder.

    Attributes:
        pattern: As in a shell: ``*.pdf``.
        settle_s: A file that has not changed for so long is whole.
        is_kept: It stays where it is; else it is moved to ``done``.
    """

    folder: str
    pattern: str
    every_s: float
    settle_s: float
    is_kept: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedWatch:
    """
    Entries of a feed.

    Attributes:
        from_now: What is there at the first look starts nothing.
        is_gathered: One run for all that is new, instead of one for each.
    """

    url: str
    every_s: float
    from_now: bool
    is_gathered: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PageWatch:
    """The text of a web page, or of what a CSS selector finds in it; empty: all of it."""

    url: str
    selector: str
    every_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RingWatch:
    """What a provider keeps for a webhook of ours, and rings about."""

    every_s: float


WatchSettings: TypeAlias = MailWatch | FolderWatch | FeedWatch | PageWatch | RingWatch


def read_settings(kind: WatchKind, given: Mapping[str, Any], *, least_s: float) -> WatchSettings:
    """
    Return what *given*, values by pin, says of a watch; pins that are not there have their defaults.

    Args:
        least_s: Others' servers are not asked more often.

    Raises:
        BadRequest: If something cannot be; says what, and how to mend it.
    """
    words = _Words(given)
    match kind:
        case WatchKind.MAIL:
            return _mail(words, least_s)
        case WatchKind.FOLDER:
            return _folder(words)
        case WatchKind.FEED:
            return FeedWatch(
                url=words.url("url"),
                every_s=words.seconds("interval", 300, least_s),
                from_now=words.boolean("from_now", default=True),
                is_gathered=words.one_of("runs", ("entry", "poll")) == "poll",
            )
        case WatchKind.PAGE:
            return PageWatch(
                url=words.url("url"),
                selector=words.text("selector"),
                every_s=words.seconds("interval", 300, least_s),
            )
        case WatchKind.AIRTABLE:
            return RingWatch(every_s=_RINGS_S)


def _mail(words: "_Words", least_s: float) -> MailWatch:
    host = words.text("host").strip()
    if not host:
        raise BadRequest("host is missing: the name of the mail server, as imap.example.com")
    port = words.get("port", 993)
    if type(port) is not int or port not in _PORTS:
        raise BadRequest("port is a number from 1 to 65535; 993 for most servers")
    mailbox = words.text("mailbox", "INBOX")
    if not mailbox:
        raise BadRequest("mailbox is empty: the name of a mailbox, as INBOX")
    return MailWatch(
        host=host,
        port=port,
        mailbox=mailbox,
        sender=words.text("from_filter"),
        subject=words.text("subject_filter"),
        every_s=words.seconds("interval", 300, least_s),
        idle=words.boolean("idle", default=True),
    )


def _folder(words: "_Words") -> FolderWatch:
    folder = words.text("folder").strip()
    if not _FOLDER.fullmatch(folder):
        raise BadRequest(
            "folder is the name of one folder: letters, digits, spaces and ._- , a letter or digit "
            "first"
        )
    return FolderWatch(
        folder=folder,
        pattern=words.text("pattern", "*") or "*",
        every_s=words.seconds("interval", 5, _FOLDER_LEAST_S),
        settle_s=words.seconds("settle", 2, 1),
        is_kept=words.one_of("afterwards", ("move", "leave")) == "leave",
    )


class _Words:
    """Values by pin, each read as what it must be."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def get(self, pin: str, default: Any) -> Any:
        value = self._given.get(pin)
        return default if value is None else value

    def text(self, pin: str, default: str = "") -> str:
        value = self.get(pin, default)
        if not isinstance(value, str) or len(value) > _MAX_TEXT or _CONTROL.search(value):
            raise BadRequest(f"{pin} is one line of text, {_MAX_TEXT} characters at the most")
        return value

    def url(self, pin: str) -> str:
        value = self.get(pin, "")
        if not isinstance(value, str) or len(value) > _MAX_URL or not _is_url(value.strip()):
            raise BadRequest(f"{pin} is a web address: it begins with http:// or https://")
        return value.strip()

    def boolean(self, pin: str, *, default: bool) -> bool:
        value = self.get(pin, default)
        if not isinstance(value, bool):
            raise BadRequest(f"{pin} is true or false")
        return value

    def one_of(self, pin: str, allowed: tuple[str, ...]) -> str:
        value = self.get(pin, allowed[0])
        if not isinstance(value, str) or value not in allowed:
            raise BadRequest(f"{pin} is one of {', '.join(allowed)}")
        return value

    def seconds(self, pin: str, default: float, least_s: float) -> float:
        """Return a time; what nobody has chosen gives way to *least_s*."""
        value = self.get(pin, max(default, least_s))
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadRequest(f"{pin} is a number of seconds")
        if not least_s <= value <= MOST_S:
            raise BadRequest(f"{pin} is a number of seconds from {least_s:g} to {MOST_S}")
        return float(value)


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not _CONTROL.search(value)
