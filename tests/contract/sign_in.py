"""What lets people with tokens into a test's server."""

from collections.abc import Sequence
from functools import cached_property

import argon2

from backend.adapters.passwords import Argon2Hasher
from backend.adapters.storage import SqlStorage
from backend.adapters.storage.account_storage import SqlAccounts
from backend.adapters.storage.identities import SqlIdentities
from backend.adapters.web import GuardedWebClient
from backend.api.auth import Authenticator, Expected
from backend.ports.mail import Letter
from backend.services.accounts import AccountService
from backend.services.addresses import AddressService
from backend.services.key_set import KeySet
from backend.services.local_tokens import LocalKey
from backend.services.oidc import OidcClient, OidcService
from backend.services.resets import ResetService
from backend.services.sessions import SessionService
from backend.services.standings import Standings
from backend.testing.accounts import TransientRevision
from backend.testing.clock import FakeClock


class QuickHasher(Argon2Hasher):
    """As cheap as argon2id can be: what it costs to guess is of no account here."""

    @cached_property
    def _hasher(self) -> argon2.PasswordHasher:
        return argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Letters:
    """See backend.ports.mail.Mailer. Keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[Letter] = []

    async def send(self, letter: Letter) -> None:
        self.sent.append(letter)

    async def close(self) -> None:
        pass


class SignIn:
    """Accounts, sessions and the check of tokens, over *storage*."""

    def __init__(self, storage: SqlStorage, clock: FakeClock, key: str) -> None:
        stored, passwords = SqlAccounts(storage.database), QuickHasher()
        self._clock = clock
        self._storage = storage
        self._stored = stored
        self.letters = Letters()
        self._key = LocalKey(secret=key, algorithm="HS256")
        self.standings = Standings(
            accounts=stored, revision=TransientRevision(), clock=clock, access_token_s=900
        )
        self.accounts = AccountService(
            accounts=stored, passwords=passwords, standings=self.standings, clock=clock
        )
        self.sessions = SessionService(
            accounts=stored,
            passwords=passwords,
            standings=self.standings,
            key=self._key,
            clock=clock,
        )

    def oidc(self, client: OidcClient | None = None, *, trusted: Sequence[str] = ()) -> OidcService:
        """Return what people sign in with at a provider; nothing is set up without a *client*."""
        return OidcService(
            client=client,
            identities=SqlIdentities(self._storage.database),
            sessions=self.sessions,
            web=GuardedWebClient(trusted),
            clock=self._clock,
        )

    def resets(self) -> ResetService:
        """Return what people do who forgot their password; letters go to `letters`."""
        return ResetService(
            accounts=self._stored,
            service=self.accounts,
            mailer=self.letters,
            clock=self._clock,
            page="http://server/page",
        )

    def addresses(self) -> AddressService:
        """Return what asks for new addresses; letters go to `letters`."""
        return AddressService(
            accounts=self._stored,
            mailer=self.letters,
            clock=self._clock,
            page="http://server/api/auth/user/email/confirm",
        )

    def authenticator(
        self, *, enabled: bool, key_set: KeySet | None = None, expected: Expected | None = None
    ) -> Authenticator:
        """Return what checks the tokens of requests."""
        return Authenticator(
            key=self._key.secret,
            algorithm=self._key.algorithm,
            now_s=lambda: self._clock.now_us() / 1_000_000,
            standings=self.standings,
            key_set=key_set,
            expected=expected,
            enabled=enabled,
        )
