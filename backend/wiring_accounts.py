"""The wiring of accounts: what all processes that let people in share."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from backend.adapters.storage import SqlStorage
from backend.api.auth import Authenticator
from backend.ports.clock import Clock
from backend.services.local_tokens import LocalKey
from backend.services.sessions import Lifetimes
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.services.accounts import AccountService
    from backend.services.sessions import SessionService


def revision_path(data_dir: Path) -> Path:
    """Return the file that tells all processes that accounts changed."""
    return data_dir / "accounts.revision"


def local_key(settings: Settings) -> LocalKey:
    """Return what tokens of this server are signed with."""
    return LocalKey.of(
        verify_key=settings.jwt_verify_key.get_secret_value(),
        algorithm=settings.jwt_sign_algorithm,
        instance_key=settings.instance_key.get_secret_value(),
    )


class SignIn:
    """Whom a process lets in, over one database."""

    def __init__(self, settings: Settings, storage: SqlStorage, clock: Clock) -> None:
        from backend.adapters.passwords import Argon2Hasher
        from backend.adapters.revision import FileRevision
        from backend.adapters.storage.account_storage import SqlAccounts
        from backend.services.standings import Standings

        self._settings = settings
        self._clock = clock
        self._passwords = Argon2Hasher()
        self.lifetimes = Lifetimes(
            access_s=settings.access_token_minutes * 60, session_s=settings.session_days * 86_400
        )
        self.accounts: SqlAccounts = SqlAccounts(storage.database)
        self.standings: Standings = Standings(
            accounts=self.accounts,
            revision=FileRevision(revision_path(settings.agpt_data_dir)),
            clock=clock,
            access_token_s=self.lifetimes.access_s,
        )

    def authenticator(self, now_s: Callable[[], float] = time.time) -> Authenticator:
        """Return who checks the tokens."""
        settings = self._settings
        return Authenticator(
            key=settings.jwt_verify_key.get_secret_value(),
            algorithm=settings.jwt_sign_algorithm,
            now_s=now_s,
            standings=self.standings,
            enabled=settings.enable_auth,
        )

    def account_service(self) -> "AccountService":
        """Return what an operator does with accounts."""
        from backend.services.accounts import AccountService

        return AccountService(
            accounts=self.accounts,
            passwords=self._passwords,
            standings=self.standings,
            clock=self._clock,
        )

    def session_service(self) -> "SessionService":
        """Return what people sign in with."""
        from backend.services.sessions import SessionService

        return SessionService(
            accounts=self.accounts,
            passwords=self._passwords,
            standings=self.standings,
            key=local_key(self._settings),
            clock=self._clock,
            lifetimes=self.lifetimes,
        )
