"""Credentials: kept, shown without their secrets, and lent to what runs for their owner."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from backend.core.credentials import (
    Credentials,
    CredentialsKind,
    CredentialsRecord,
    HostScopedCredentials,
    OAuth2Credentials,
    Uses,
    host_of,
)
from backend.core.errors import BadRequest, NotFound, SecretUnreadable
from backend.core.ids import CredentialsId, UserId
from backend.ports.clock import Clock
from backend.ports.credentials import CredentialsStore
from backend.services.sealed import Sealer

#: More would only make a mess of one account's list.
MAX_CREDENTIALS: Final = 1_000

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_HEADER_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
#: What the web client frames requests with; a credential must not.
_NO_CREDENTIAL: Final = frozenset({"host", "content-length", "transfer-encoding", "connection"})


class Tokens(Protocol):
    """What keeps the tokens of accounts fresh, and gives them back."""

    async def fresh(self, record: CredentialsRecord, tokens: OAuth2Credentials) -> Credentials:
        """Return *tokens*, renewed first if they are about to end."""

    async def revoke(self, tokens: OAuth2Credentials) -> bool:
        """Tell the provider that *tokens* count no more; say whether it heard."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deletion:
    """
    What became of a wish to delete.

    Attributes:
        needed_by: Who would miss them: nothing was deleted.
        revoked: Whether the provider took its tokens back; None where there are none.
    """

    needed_by: Uses | None = None
    revoked: bool | None = None


class CredentialsService:
    """Credentials of all users; every method names the user whose they are."""

    def __init__(
        self,
        *,
        store: CredentialsStore,
        sealer: Sealer,
        tokens: Tokens,
        clock: Clock,
        operators: Mapping[CredentialsId, Credentials] | None = None,
    ) -> None:
        """
        Take what it stands on.

        *operators* are the operator's own: lent to who runs a graph that names them, and never
        shown, listed or deleted.
        """
        self._operators = dict(operators or {})
        #: What is to be done with credentials for the last time, before they are deleted.
        self.before_removal: Callable[[UserId, CredentialsId], Awaitable[None]] | None = None
        self._store = store
        self._sealer = sealer
        self._tokens = tokens
        self._clock = clock

    async def listed(self, user_id: UserId, provider: str | None = None) -> list[CredentialsRecord]:
        """Return all, or those for *provider*, oldest first; nothing is opened for it."""
        return await self._store.of(user_id).listed(provider)

    async def create(self, user_id: UserId, credentials: Credentials) -> CredentialsRecord:
        """
        Keep *credentials*.

        Raises:
            Conflict: If their id is taken.
            BadRequest: If no header can carry them, or there are `MAX_CREDENTIALS` already.
        """
        _check(credentials)
        record = self._sealer.record(user_id, credentials, now_us=self._clock.now_us())
        await self._store.of(user_id).add(record, most=MAX_CREDENTIALS)
        return record

    async def read(
        self, user_id: UserId, provider: str, credentials_id: CredentialsId
    ) -> Credentials:
        """
        Return credentials for their owner's own use, an account's tokens fresh.

        Raises:
            NotFound: If there are none of this id for this provider.
            SecretUnreadable: If they cannot be opened.
            SignInNeeded, Unavailable: If tokens have ended and cannot be renewed.
        """
        record = await self._record(user_id, provider, credentials_id)
        return await self._fresh(record)

    async def delete(
        self,
        user_id: UserId,
        provider: str,
        credentials_id: CredentialsId,
        *,
        force: bool = False,
    ) -> Deletion:
        """
        Delete credentials; those that something needs only by *force*.

        What cannot be opened is deleted too. Tokens are given back after that: that the provider
        does not answer keeps nobody from deleting.
        """
        record = await self._record(user_id, provider, credentials_id)
        stored = self._store.of(user_id)
        if not force and (uses := await stored.uses(credentials_id)):
            return Deletion(needed_by=uses)
        tokens = self._tokens_in(record)
        if self.before_removal is not None:
            await self.before_removal(user_id, credentials_id)
        if not await stored.remove(credentials_id):
            raise _unknown(credentials_id)
        if record.kind is not CredentialsKind.OAUTH2:
            return Deletion()
        return Deletion(revoked=tokens is not None and await self._tokens.revoke(tokens))

    async def lend(self, user_id: UserId, reference: Mapping[str, Any]) -> Credentials:
        """
        Return the credentials that *reference* names, for a block that runs for *user_id*.

        Raises:
            NotFound: If this user has none of that id.
            BadRequest: If they are for another provider or of another type than *reference* says.
            SecretUnreadable, SignInNeeded, Unavailable: As `read` does.
        """
        credentials_id = CredentialsId(str(reference.get("id") or ""))
        if (operators := self._operators.get(credentials_id)) is not None:
            return operators
        record = await self._store.of(user_id).get(credentials_id)
        if record is None:
            raise NotFound(f"Credentials #{credentials_id} not found.")
        if mismatch(record, reference):
            raise BadRequest(
                f"Credentials #{credentials_id} are for {record.provider} and of type "
                f"{record.kind.value}; the node says {reference.get('provider')} and "
                f"{reference.get('type')}."
            )
        return await self._fresh(record)

    async def _record(
        self, user_id: UserId, provider: str, credentials_id: CredentialsId
    ) -> CredentialsRecord:
        record = await self._store.of(user_id).get(credentials_id)
        if record is None or record.provider != provider:
            raise _unknown(credentials_id)
        return record

    async def _fresh(self, record: CredentialsRecord) -> Credentials:
        opened = self._sealer.open(record)
        if isinstance(opened, OAuth2Credentials):
            return await self._tokens.fresh(record, opened)
        return opened

    def _tokens_in(self, record: CredentialsRecord) -> OAuth2Credentials | None:
        if record.kind is not CredentialsKind.OAUTH2:
            return None
        try:
            opened = self._sealer.open(record)
        except SecretUnreadable:
            return None  # nobody can give back what nobody can read
        return opened if isinstance(opened, OAuth2Credentials) else None


def mismatch(record: CredentialsRecord, reference: Mapping[str, Any]) -> bool:
    """Say whether *reference* means something else than *record* is."""
    return (record.provider, record.kind.value) != (
        reference.get("provider"),
        reference.get("type"),
    )


def _unknown(credentials_id: CredentialsId) -> NotFound:
    return NotFound(f"Credentials #{credentials_id} not found.")


def _check(credentials: Credentials) -> None:
    """Refuse what could only fail when it is used, without repeating any of it."""
    if isinstance(credentials, HostScopedCredentials):
        if not host_of(credentials.host):
            raise BadRequest("host is a name like api.example.com, or *.example.com for all below")
        for name, value in credentials.headers.items():
            if not _HEADER_NAME.fullmatch(name) or name.lower() in _NO_CREDENTIAL:
                raise BadRequest(f"{name[:100]!r} cannot be a header of credentials")
            if not _HEADER_VALUE.fullmatch(value.reveal()):
                raise BadRequest(f"the header {name[:100]!r} holds a character that headers do not")
        return
    if not _HEADER_VALUE.fullmatch(credentials.authorization().reveal()):
        raise BadRequest("a secret holds a character, a line break perhaps, that no header does")
