"""Who may come in: accounts, their roles and sessions, and the rules of addresses and passwords."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from backend.core.errors import BadRequest
from backend.core.ids import SessionId, UserId


class Role(StrEnum):
    """What an account may do beside using its own things."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"

    @property
    def is_admin(self) -> bool:
        """Whether it may act for others and use what is for administrators."""
        return self is not Role.MEMBER


#: Shorter passwords are guessed; longer ones only cost time.
PASSWORD_CHARACTERS: Final = (12, 1_000)
_EMAIL_CHARACTERS: Final = 254  # RFC 5321
_LOCAL_CHARACTERS: Final = 64
_EMAIL: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountRecord:
    """
    An account, as it is kept.

    Attributes:
        email: Where notices go, and, of an account with a password, what it signs in with.
        has_login: Whether *email* is what somebody signs in with.
        password_hash: None while there is no password.
    """

    id: UserId
    email: str
    name: str | None = None
    role: Role = Role.MEMBER
    is_disabled: bool = False
    has_login: bool = False
    password_hash: str | None = field(default=None, repr=False)
    created_us: int = 0
    last_login_us: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionRecord:
    """
    One sign-in, from its password to its end.

    Attributes:
        expires_us: When it ends by itself unless it is used before.
        address: From where it was last used.
        agent: What its client calls itself.
    """

    id: SessionId
    user_id: UserId
    created_us: int
    last_used_us: int
    expires_us: int
    address: str = ""
    agent: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """
    What is to be known of all accounts at every request: whom to refuse, and who is more than a member.

    Attributes:
        roles: Of those who are no members.
        ended: Sessions that ended so lately that their access tokens could still be good.
    """

    roles: Mapping[UserId, Role] = field(default_factory=dict)
    disabled: frozenset[UserId] = frozenset()
    ended: frozenset[SessionId] = frozenset()


def normal_email(text: str) -> str:
    """
    Return the one spelling of an address that is kept and compared.

    Raises:
        BadRequest: If it is no address that mail could reach.
    """
    email = text.strip().lower()
    local = email.partition("@")[0]
    if (
        len(email) > _EMAIL_CHARACTERS
        or len(local) > _LOCAL_CHARACTERS
        or not _EMAIL.fullmatch(email)
        or ".." in email
        or local.startswith(".")
        or local.endswith(".")
    ):
        raise BadRequest("this is no e-mail address")
    return email


def check_password(password: str, *, email: str) -> None:
    """Raise BadRequest, which says why, if *password* is too easy to guess."""
    least, most = PASSWORD_CHARACTERS
    if not least <= len(password) <= most:
        raise BadRequest(f"a password has {least} to {most:,} characters")
    if len(set(password)) < 4:  # noqa: PLR2004 -- "aaaaaaaaaaaa" is long, and the first that is tried
        raise BadRequest("a password has more than three different characters")
    if password.strip().lower() == email:
        raise BadRequest("a password is not the e-mail address")
