"""Credentials and their rows: one is sealed into the other, and opened again."""

from typing import Final

from backend.core.credentials import (
    Credentials,
    CredentialsRecord,
    HostScopedCredentials,
    OAuth2Credentials,
    from_values,
    to_values,
)
from backend.core.errors import SecretUnreadable
from backend.core.ids import UserId
from backend.ports.vault import Vault

_SIGN_IN: Final = "sign-in:"


class Sealer:
    """Seals and opens by one vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def open(self, record: CredentialsRecord) -> Credentials:
        """
        Return the credentials in *record*.

        Raises:
            SecretUnreadable: If they do not open, or are other ones than the row says.
        """
        values = self._vault.open(record.sealed, user_id=record.user_id, record_id=record.id)
        opened = from_values(values)
        if (opened.id, opened.provider, opened.kind) != (record.id, record.provider, record.kind):
            raise SecretUnreadable(
                f"The secret of #{record.id} is of other credentials than its row: somebody has "
                "changed the database. It stays as it is."
            )
        return opened

    def record(
        self,
        user_id: UserId,
        credentials: Credentials,
        *,
        now_us: int,
        before: CredentialsRecord | None = None,
    ) -> CredentialsRecord:
        """Return the row of *credentials*, in place of *before* if there was one."""
        return CredentialsRecord(
            id=credentials.id,
            user_id=user_id,
            provider=credentials.provider,
            kind=credentials.kind,
            title=credentials.title,
            username=_username(credentials),
            host=credentials.host if isinstance(credentials, HostScopedCredentials) else None,
            scopes=credentials.scopes if isinstance(credentials, OAuth2Credentials) else None,
            sealed=self._vault.seal(
                to_values(credentials), user_id=user_id, record_id=credentials.id
            ),
            revision=before.revision + 1 if before else 1,
            created_us=before.created_us if before else now_us,
            updated_us=now_us,
        )

    def seal_verifier(self, verifier: str, *, user_id: UserId, key: str) -> str:
        """Return what proves at the end of a sign-in who began it, sealed."""
        return self._vault.seal(
            {"verifier": verifier}, user_id=user_id, record_id=f"{_SIGN_IN}{key}"
        )

    def open_verifier(self, sealed: str, *, user_id: UserId, key: str) -> str:
        """Undo `seal_verifier`."""
        opened = self._vault.open(sealed, user_id=user_id, record_id=f"{_SIGN_IN}{key}")
        return str(opened["verifier"])


def record_id_of(place: str, row_id: str) -> str:
    """Return for which record the sealed value of a row is sealed."""
    return f"{_SIGN_IN}{row_id}" if place == "sign_ins" else row_id


def _username(credentials: Credentials) -> str | None:
    return credentials.username if isinstance(credentials, OAuth2Credentials) else None
