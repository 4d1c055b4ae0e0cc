"""Credentials and their rows: one is sealed into the other, and opened again."""

from collections.abc import Mapping
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
from backend.core.ids import ChannelId, UserId, WebhookId
from backend.core.json import JsonObject
from backend.core.notice_channels import Channel
from backend.core.records import WebhookRecord
from backend.ports.vault import Vault

_SIGN_IN: Final = "sign-in:"
_WEBHOOK: Final = "webhook:"
_CHANNEL: Final = "channel:"
_SIGNS_WITH: Final = "signs_with"


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

    def seal_away(self, values: JsonObject, *, user_id: UserId, key: str) -> str:
        """Return what only we may know until somebody is back from a sign-in, sealed."""
        return self._vault.seal(values, user_id=user_id, record_id=f"{_SIGN_IN}{key}")

    def open_away(self, sealed: str, *, user_id: UserId, key: str) -> JsonObject:
        """Undo `seal_away`."""
        return self._vault.open(sealed, user_id=user_id, record_id=f"{_SIGN_IN}{key}")

    def seal_webhook(self, secret: str, *, user_id: UserId, webhook_id: WebhookId) -> str:
        """Return with what the deliveries of a webhook are signed, sealed."""
        return self._vault.seal(
            {_SIGNS_WITH: secret}, user_id=user_id, record_id=f"{_WEBHOOK}{webhook_id}"
        )

    def open_webhook(self, webhook: WebhookRecord) -> str:
        """Return with what the deliveries of a webhook are signed; raises SecretUnreadable."""
        if not webhook.sealed:
            return ""  # none was ever kept, and nothing that is signed with none is taken
        opened = self._vault.open(
            webhook.sealed, user_id=webhook.user_id, record_id=f"{_WEBHOOK}{webhook.id}"
        )
        return str(opened[_SIGNS_WITH])

    def seal_channel(
        self, config: Mapping[str, str], *, user_id: UserId, channel_id: ChannelId
    ) -> str:
        """Return where a channel of notices leads, sealed."""
        record_id = f"{_CHANNEL}{channel_id}"
        return self._vault.seal(dict(config), user_id=user_id, record_id=record_id)

    def open_channel(self, channel: Channel) -> dict[str, str]:
        """Undo `seal_channel`; raises SecretUnreadable."""
        opened = self._vault.open(
            channel.sealed, user_id=channel.user_id, record_id=f"{_CHANNEL}{channel.id}"
        )
        return {name: str(value) for name, value in opened.items()}


def record_id_of(place: str, row_id: str) -> str:
    """Return for which record the sealed value of a row is sealed."""
    before = {"sign_ins": _SIGN_IN, "webhooks": _WEBHOOK, "notice_channels": _CHANNEL}
    return before.get(place, "") + row_id


def value_in_clear(place: str, text: str) -> JsonObject | None:
    """Return what is to be sealed of a row whose *text* is not; None where none was ever in clear."""
    return {_SIGNS_WITH: text} if place == "webhooks" else None


def _username(credentials: Credentials) -> str | None:
    return credentials.username if isinstance(credentials, OAuth2Credentials) else None
