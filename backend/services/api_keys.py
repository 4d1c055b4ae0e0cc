"""API keys: made, shown once, known again, rotated, taken back (spec/contract.md 2.5)."""

import asyncio
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from backend.core.api_keys import (
    HEAD_LENGTH,
    KEY_PREFIX,
    ApiKeyRecord,
    ApiKeyStatus,
    KeySecret,
    secret_of,
)
from backend.core.errors import BadRequest, NotFound, Unavailable
from backend.core.ids import ApiKeyId, UserId
from backend.core.permissions import Permission
from backend.ports.api_keys import ApiKeys
from backend.ports.clock import Clock

log = structlog.get_logger(__name__)

#: Of one user, without those that are revoked; and so many are listed.
MAX_KEYS: Final = 500
#: A text that is rotated out may go on for so long: 30 days.
MAX_GRACE_S: Final = 30 * 24 * 3600
#: Uses are noted together, so often; who looks sees them at once.
NOTE_EVERY_S: Final = 30.0
_RANDOM_BYTES: Final = 32
_SALT_BYTES: Final = 16
_FORM: Final = re.compile(rf"{KEY_PREFIX}[A-Za-z0-9_-]{{43}}")


@dataclass(frozen=True, kw_only=True)
class NewApiKey:
    """
    A key that is wanted.

    Attributes:
        expires_us: From then on it opens nothing; None: never.
    """

    name: str
    description: str | None = None
    scopes: Sequence[Permission]
    expires_us: int | None = None


@dataclass(frozen=True, kw_only=True)
class ShownKey:
    """A key with its text, which is not kept: it is shown now, and never again."""

    record: ApiKeyRecord
    text: str = field(repr=False)


class ApiKeyService:
    """Keys of all users; every method but `known` names the user whose they are."""

    def __init__(self, *, keys: ApiKeys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._used_us: dict[ApiKeyId, int] = {}
        self._used = asyncio.Event()

    async def create(self, user_id: UserId, new: NewApiKey) -> ShownKey:
        """
        Make a key and return it with its text.

        Raises:
            BadRequest: If it would be over before it begins.
            Conflict: If there are `MAX_KEYS` already.
        """
        now_us = self._clock.now_us()
        if new.expires_us is not None and new.expires_us <= now_us:
            raise BadRequest("expires_at must be in the future.")
        text, secret = _fresh()
        record = ApiKeyRecord(
            id=ApiKeyId(self._clock.new_id()),
            user_id=user_id,
            name=new.name,
            description=new.description,
            secret=secret,
            scopes=tuple(one for one in Permission if one in new.scopes),
            created_us=now_us,
            expires_us=new.expires_us,
        )
        await self._keys.of(user_id).add(record, most=MAX_KEYS)
        return ShownKey(record=record, text=text)

    async def listed(self, user_id: UserId) -> list[ApiKeyRecord]:
        """Return the newest `MAX_KEYS` keys, newest first, revoked ones too."""
        found = await self._keys.of(user_id).listed(limit=MAX_KEYS)
        return [self._with_last_use(one) for one in found]

    async def get(self, user_id: UserId, key_id: ApiKeyId) -> ApiKeyRecord:
        """Return a key."""
        found = await self._keys.of(user_id).get(key_id)
        if found is None:
            raise NotFound(f"API key #{key_id} not found.")
        return self._with_last_use(found)

    async def set_scopes(
        self, user_id: UserId, key_id: ApiKeyId, scopes: Sequence[Permission]
    ) -> ApiKeyRecord:
        """Replace what a key may do. The next request with it is measured by that."""
        wanted = tuple(one for one in Permission if one in scopes)
        return self._with_last_use(await self._keys.of(user_id).set_scopes(key_id, wanted))

    async def set_status(
        self, user_id: UserId, key_id: ApiKeyId, status: ApiKeyStatus
    ) -> ApiKeyRecord:
        """
        Suspend, resume or revoke a key. The next request with it is answered by that.

        Raises:
            NotFound: If there is no such key.
            Conflict: If it is revoked: that is for ever.
        """
        changed = await self._keys.of(user_id).set_status(
            key_id, status, now_us=self._clock.now_us()
        )
        return self._with_last_use(changed)

    async def rotate(self, user_id: UserId, key_id: ApiKeyId, *, grace_s: int) -> ShownKey:
        """
        Give a key another text and return it; what it was before is good for *grace_s* more.

        What it was before that is good no more.

        Raises:
            NotFound: If there is no such key.
            Conflict: If it is revoked.
            BadRequest: If *grace_s* is over `MAX_GRACE_S`, or negative.
        """
        if not 0 <= grace_s <= MAX_GRACE_S:
            raise BadRequest(f"a text that is rotated out is good for 0 to {MAX_GRACE_S} s more")
        text, secret = _fresh()
        until_us = self._clock.now_us() + grace_s * 1_000_000
        changed = await self._keys.of(user_id).rotate(key_id, secret, previous_until_us=until_us)
        return ShownKey(record=self._with_last_use(changed), text=text)

    async def known(self, text: str) -> ApiKeyRecord | None:
        """Return the key that *text* is, if it may be used now. Storage is asked each time."""
        if not _FORM.fullmatch(text):
            return None
        now_us = self._clock.now_us()
        found = await self._keys.with_head(text[:HEAD_LENGTH])
        # All are looked at, so that the time tells nothing of which one it was.
        opened = [one for one in found if one.opens(text, now_us)]
        if not opened:
            return None
        self._used_us[opened[0].id] = now_us
        self._used.set()
        return opened[0]

    async def note_uses(self) -> None:
        """Write down which keys were used since the last time."""
        used, self._used_us = self._used_us, {}
        if not used:
            return
        try:
            await self._keys.note_uses(used)
        except Unavailable as exc:
            # Later uses stand; these are tried again with them.
            self._used_us = {**used, **self._used_us}
            log.warning("key_uses_not_noted", count=len(used), error=str(exc))

    async def keep_noting(self) -> None:
        """Write uses down every `NOTE_EVERY_S` seconds while there are any, until cancelled."""
        while True:
            await self._used.wait()
            self._used.clear()
            await asyncio.sleep(NOTE_EVERY_S)
            await self.note_uses()

    def _with_last_use(self, record: ApiKeyRecord) -> ApiKeyRecord:
        noted = self._used_us.get(record.id)
        return record if noted is None else replace(record, last_used_us=noted)


def _fresh() -> tuple[str, KeySecret]:
    text = KEY_PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    return text, secret_of(text, secrets.token_hex(_SALT_BYTES))
