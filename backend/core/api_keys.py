"""API keys: what is kept of them, and which status may follow which (spec/contract.md 2.5)."""

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from backend.core.errors import Conflict
from backend.core.ids import ApiKeyId, UserId
from backend.core.permissions import Permission

#: What every key begins with; the rest is 32 random bytes as 43 characters.
KEY_PREFIX: Final = "agpt_"
KEY_LENGTH: Final = len(KEY_PREFIX) + 43
#: By its first characters a key is found, by its last ones people know it.
HEAD_LENGTH: Final = 8
TAIL_LENGTH: Final = 8


class ApiKeyStatus(StrEnum):
    """Where a key stands. Only an active one opens anything."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"


#: A step to where a key stands already is harmless. What was revoked stays so: whoever took a key
#: back because it leaked must be able to rely on that.
TRANSITIONS: Final[dict[ApiKeyStatus, frozenset[ApiKeyStatus]]] = {
    ApiKeyStatus.ACTIVE: frozenset(ApiKeyStatus),
    ApiKeyStatus.SUSPENDED: frozenset(ApiKeyStatus),
    ApiKeyStatus.REVOKED: frozenset({ApiKeyStatus.REVOKED}),
}


def is_key(text: str) -> bool:
    """Say whether *text* looks like an API key, and not like a token of an app."""
    return text.startswith(KEY_PREFIX) and len(text) == KEY_LENGTH


def advance(now: ApiKeyStatus, wanted: ApiKeyStatus) -> ApiKeyStatus:
    """Return *wanted*; raises Conflict if it cannot follow *now*."""
    if wanted not in TRANSITIONS[now]:
        raise Conflict(f"this key is {now.value}; it cannot become {wanted.value}: make a new one")
    return wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class KeySecret:
    """
    What is kept of a key's text, enough to know it again.

    A key is 256 random bits: nobody finds it by trying, so one fast hash is enough. The salt keeps
    the same text in two places from having the same hash.
    """

    head: str
    tail: str
    salt: str = field(repr=False)
    hash: str = field(repr=False)

    def fits(self, text: str) -> bool:
        """Say whether *text* is the key; takes the same time whether it is or not."""
        return hmac.compare_digest(self.hash, _hash(text, self.salt))


def secret_of(text: str, salt: str) -> KeySecret:
    """Return what is kept of *text* under *salt*, hexadecimal digits."""
    return KeySecret(
        head=text[:HEAD_LENGTH], tail=text[-TAIL_LENGTH:], salt=salt, hash=_hash(text, salt)
    )


def _hash(text: str, salt: str) -> str:
    return hmac.new(bytes.fromhex(salt), text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKeyRecord:
    """
    A key, as saved.

    Attributes:
        previous: What it was before it was last rotated; good until *previous_until_us*.
    """

    id: ApiKeyId
    user_id: UserId
    name: str
    description: str | None = None
    secret: KeySecret
    scopes: tuple[Permission, ...]
    status: ApiKeyStatus = ApiKeyStatus.ACTIVE
    created_us: int
    expires_us: int | None = None
    last_used_us: int | None = None
    revoked_us: int | None = None
    previous: KeySecret | None = None
    previous_until_us: int | None = None

    def opens(self, text: str, now_us: int) -> bool:
        """Say whether *text* is this key, and it may be used now."""
        fits = self.secret.fits(text)
        if self.previous is not None and now_us < (self.previous_until_us or 0):
            fits = self.previous.fits(text) or fits
        alive = self.expires_us is None or now_us < self.expires_us
        return fits and alive and self.status is ApiKeyStatus.ACTIVE
