"""What somebody wants to be told by mail, and the signed word that ends it (pure)."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from backend.core.ids import UserId

#: Kinds of notices that an account says of whether it wants them; what it never said, it wants.
KINDS: Final = (
    "AGENT_RUN",
    "ZERO_BALANCE",
    "LOW_BALANCE",
    "BLOCK_EXECUTION_FAILED",
    "CONTINUOUS_AGENT_ERROR",
    "DAILY_SUMMARY",
    "WEEKLY_SUMMARY",
    "MONTHLY_SUMMARY",
    "AGENT_APPROVED",
    "AGENT_REJECTED",
)
#: Those that end when somebody unsubscribes (spec/contract.md 8.5).
UNSUBSCRIBED: Final = KINDS[:8]

DEFAULT_DAILY_LIMIT: Final = 3
MAX_DAILY_LIMIT: Final = 1_000

#: An address that has refused so many letters in a row gets no more.
MAX_BOUNCES: Final = 3

DAY_US: Final = 24 * 3600 * 1_000_000
_ADDRESS: Final = re.compile(r"[^@\s<>\"(),:;\\]{1,64}@[^@\s<>\"(),:;\\.]+(\.[^@\s<>\"(),:;\\.]+)*")
_MAX_ADDRESS: Final = 254
_MAX_TOKEN: Final = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Preferences:
    """
    What an account wants.

    Attributes:
        said: By kind of notice, only what was said.
        daily_limit: Letters of one day, UTC; 0: none at all.
        sent_today: Letters of this day so far.
        bounces: Letters in a row that the address has refused for good.
        bounce: What its server said the last time.
    """

    user_id: UserId
    email: str
    said: Mapping[str, bool] = field(default_factory=dict)
    daily_limit: int = DEFAULT_DAILY_LIMIT
    sent_today: int = 0
    bounces: int = 0
    bounce: str = ""

    def wants(self, kind: str) -> bool:
        """Say whether notices of *kind* are wanted at all."""
        return self.daily_limit > 0 and self.said.get(kind, True)

    @property
    def is_refused(self) -> bool:
        """Whether the address has refused so many letters that it gets no more."""
        return self.bounces >= MAX_BOUNCES

    @property
    def has_room(self) -> bool:
        """Whether one more letter may be sent today."""
        return self.sent_today < self.daily_limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounced:
    """
    An address that has refused letters.

    Attributes:
        user_id: Whose it is; None: nobody's, for example the operator's.
        error: What its server said the last time.
    """

    address: str
    user_id: UserId | None
    count: int
    last_us: int
    error: str

    @property
    def is_refused(self) -> bool:
        """Whether it gets no more."""
        return self.count >= MAX_BOUNCES


@dataclass(frozen=True, kw_only=True, slots=True)
class PreferenceChanges:
    """What is to be different; None, or a kind that is not named, stays."""

    said: Mapping[str, bool] = field(default_factory=dict)
    daily_limit: int | None = None


def day_of(at_us: int) -> int:
    """Return the number of the day, UTC, of a moment."""
    return at_us // DAY_US


def is_address(text: str) -> bool:
    """Say whether *text* can be a mail address. Whether it is somebody's, only a letter tells."""
    return len(text) <= _MAX_ADDRESS and text.isprintable() and bool(_ADDRESS.fullmatch(text))


def unsubscribe_token(user_id: UserId, key: str) -> str:
    """Return the word by which *user_id*'s letters are ended; only who knows *key* can make it."""
    return base64.urlsafe_b64encode(f"{user_id}:{_signature(user_id, key)}".encode()).decode()


def unsubscribing(token: str, key: str) -> UserId | None:
    """Return whose letters *token* ends; None if it was not made with *key*."""
    if not key or len(token) > _MAX_TOKEN:
        return None
    try:
        # Mail programs strip the signs at its end.
        padded = token.rstrip("=").encode("ascii") + b"=" * (-len(token.rstrip("=")) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        return None
    user_id, _, signature = text.rpartition(":")
    wanted = _signature(UserId(user_id), key)
    if not hmac.compare_digest(signature.encode(), wanted.encode()):
        return None
    return UserId(user_id)


def _signature(user_id: UserId, key: str) -> str:
    return hmac.new(key.encode(), user_id.encode(), hashlib.sha256).hexdigest()
