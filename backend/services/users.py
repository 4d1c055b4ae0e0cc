"""Accounts: made on the first sign of a person, with their time zone."""

from dataclasses import dataclass

from backend.core.audit import By
from backend.core.errors import BadRequest, NotFound
from backend.core.ids import (
    DEFAULT_USER_EMAIL,
    DEFAULT_USER_ID,
    DEFAULT_USER_NAME,
    SessionId,
    UserId,
)
from backend.core.records import UserRecord
from backend.ports.clock import Clock
from backend.ports.storage import Storage
from backend.services.bounded import BoundedCache
from backend.services.timezones import is_timezone

#: Accounts of which it is remembered that they exist.
MAX_KNOWN = 10_000

#: What stands for a user's zone while none was chosen (spec/contract.md 5).
NO_TIMEZONE = "not-set"


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """
    Who asks, as the token says.

    Attributes:
        user_id: Whose things are meant; another user's when an administrator acts for them.
        token_user_id: Whose token it is.
        email: None when the token has none, or *user_id* is another's.
        by: By what they showed who they are, for the audit log; *by_id* is the id of that session
            or key.
    """

    user_id: UserId
    token_user_id: UserId
    email: str | None = None
    name: str | None = None
    is_admin: bool = False
    by: By = By.TOKEN
    by_id: str = ""

    @property
    def session_id(self) -> SessionId | None:
        """The session of the token; None of one that belongs to none."""
        return SessionId(self.by_id) if self.by is By.SESSION else None


#: Everybody, when authentication is off.
OWNER = Caller(
    user_id=DEFAULT_USER_ID,
    token_user_id=DEFAULT_USER_ID,
    email=DEFAULT_USER_EMAIL,
    name=DEFAULT_USER_NAME,
    is_admin=True,
    by=By.NOTHING,
)


class UserService:
    """Accounts."""

    def __init__(self, *, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._known: BoundedCache[UserId, bool] = BoundedCache(MAX_KNOWN)

    async def get_or_create(self, caller: Caller) -> UserRecord:
        """Return the account of whoever holds the token, made now if it was not there."""
        record = await self._storage.of(caller.token_user_id).save_user(
            email=caller.email or _no_email(caller.token_user_id),
            name=caller.name,
            now_us=self._clock.now_us(),
        )
        self._known.put(caller.token_user_id, True)
        return record

    async def ensure(self, caller: Caller) -> UserId:
        """
        Return the id of the user whose things are meant; make the account if there is none.

        Asks storage only once for each user.
        """
        if self._known.get(caller.user_id) is None:
            email = caller.email if caller.user_id == caller.token_user_id else None
            await self._storage.of(caller.user_id).save_user(
                email=email or _no_email(caller.user_id),
                name=caller.name if email else None,
                now_us=self._clock.now_us(),
            )
            self._known.put(caller.user_id, True)
        return caller.user_id

    async def get(self, user_id: UserId) -> UserRecord:
        """Return an account; raises NotFound if there is none."""
        record = await self._storage.of(user_id).user()
        if record is None:
            raise NotFound(f"User #{user_id} not found")
        return record

    async def timezone(self, user_id: UserId) -> str:
        """Return the user's zone, or `NO_TIMEZONE`."""
        record = await self._storage.of(user_id).user()
        return NO_TIMEZONE if record is None else record.timezone

    async def set_timezone(self, user_id: UserId, timezone: str) -> None:
        """
        Keep the zone in which the user's schedules are read from now on.

        Raises:
            BadRequest: If there is no such zone.
            NotFound: If there is no such user.
        """
        if not is_timezone(timezone):
            raise BadRequest(f"unknown timezone {timezone[:100]!r}")
        stored = self._storage.of(user_id)
        if await stored.user() is None:
            raise NotFound(f"User #{user_id} not found")
        await stored.set_timezone(timezone, now_us=self._clock.now_us())


def _no_email(user_id: UserId) -> str:
    """An address that can never be anybody's (RFC 2606), for a token that has none."""
    return f"{user_id}@users.invalid"
