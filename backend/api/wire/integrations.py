"""Stored credentials on the wire (spec/contract.md 10). What is secret goes in and does not come out."""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from backend.api.wire.text import Id, Name
from backend.core import credentials as kept
from backend.core.credentials import MASK, Credentials, CredentialsRecord, Secret, Uses
from backend.core.ids import CredentialsId
from backend.services.audit import reveal

Values = dict[str, Any]
Fresh = Callable[[], str]

#: Long enough for any token; a larger one is no secret but a file.
_MAX_SECRET = 100_000
#: Who needs credentials is told by name, so many of a kind.
_NAMED: Final = 5


def _bounded(value: SecretStr) -> SecretStr:
    # Never with the value in its message.
    if len(value.get_secret_value()) > _MAX_SECRET:
        message = f"must have at most {_MAX_SECRET} characters"
        raise ValueError(message)
    if "\x00" in value.get_secret_value():
        raise ValueError("must not contain the character U+0000")
    return value


def _filled(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise ValueError("must not be empty")
    return value


SecretText = Annotated[SecretStr, AfterValidator(_bounded)]
FilledSecret = Annotated[SecretText, AfterValidator(_filled)]
UnixTime = Annotated[int, Field(ge=0, le=2**53)]
Scope = Annotated[str, Field(max_length=1_000)]
Host = Annotated[Name, Field(min_length=1)]


class _Stored(BaseModel):
    """What all kinds have."""

    id: Id = ""
    # The path says which provider; what the body says does not count (spec/contract.md 5).
    provider: Name
    title: Name | None = None

    def _own(self, provider: str, fresh: Fresh) -> Values:
        return {
            "id": CredentialsId(self.id or fresh()),
            "provider": provider,
            "title": self.title,
        }


class APIKeyCredentials(_Stored):
    """A key."""

    type: Literal["api_key"] = "api_key"
    api_key: FilledSecret
    expires_at: UnixTime | None = None

    def made(self, provider: str, fresh: Fresh) -> Credentials:
        """Return it as a service takes it; *fresh* gives an id where none is given."""
        return kept.ApiKeyCredentials(
            **self._own(provider, fresh),
            api_key=_secret(self.api_key),
            expires_at=self.expires_at,
        )


class UserPasswordCredentials(_Stored):
    """A name and a password."""

    type: Literal["user_password"] = "user_password"
    username: SecretText
    password: SecretText

    def made(self, provider: str, fresh: Fresh) -> Credentials:
        """Return it as a service takes it; *fresh* gives an id where none is given."""
        return kept.UserPasswordCredentials(
            **self._own(provider, fresh),
            username=_secret(self.username),
            password=_secret(self.password),
        )


class HostScopedCredentialsInput(_Stored):
    """Headers for a host."""

    type: Literal["host_scoped"] = "host_scoped"
    host: Host
    headers: Annotated[dict[Name, SecretText], Field(max_length=100)] = Field(default_factory=dict)

    def made(self, provider: str, fresh: Fresh) -> Credentials:
        """Return it as a service takes it; *fresh* gives an id where none is given."""
        return kept.HostScopedCredentials(
            **self._own(provider, fresh),
            host=self.host,
            headers={name: _secret(value) for name, value in self.headers.items()},
        )


class OAuth2Credentials(_Stored):
    """Tokens of an account."""

    type: Literal["oauth2"] = "oauth2"
    username: Name | None = None
    access_token: FilledSecret
    access_token_expires_at: UnixTime | None = None
    refresh_token: SecretText | None = None
    refresh_token_expires_at: UnixTime | None = None
    scopes: Annotated[list[Scope], Field(max_length=1_000)]
    metadata: Values = Field(default_factory=dict)

    def made(self, provider: str, fresh: Fresh) -> Credentials:
        """Return it as a service takes it; *fresh* gives an id where none is given."""
        refresh = self.refresh_token
        return kept.OAuth2Credentials(
            **self._own(provider, fresh),
            username=self.username,
            access_token=_secret(self.access_token),
            access_token_expires_at=self.access_token_expires_at,
            refresh_token=_secret(refresh) if refresh and refresh.get_secret_value() else None,
            refresh_token_expires_at=self.refresh_token_expires_at,
            scopes=tuple(self.scopes),
            metadata=self.metadata,
        )


NewCredentials = Annotated[
    OAuth2Credentials | APIKeyCredentials | UserPasswordCredentials | HostScopedCredentialsInput,
    Field(discriminator="type"),
]


class ExchangeBody(BaseModel):
    """What a provider gave to who signed in there."""

    model_config = ConfigDict(title="Body_postV1Exchange_oauth_code_for_tokens")

    code: Annotated[str, Field(min_length=1, max_length=10_000)]
    state_token: Annotated[str, Field(min_length=1, max_length=1_000)]


def _secret(value: SecretStr) -> Secret:
    return Secret(value.get_secret_value())


def meta_form(record: CredentialsRecord) -> Values:
    """Return what may be listed: ``CredentialsMetaResponse``."""
    return {
        "id": record.id,
        "provider": record.provider,
        "type": record.kind.value,
        "title": record.title,
        "scopes": None if record.scopes is None else list(record.scopes),
        "username": record.username,
        "host": record.host,
    }


def credentials_form(credentials: Credentials, *, shows_token: bool = False) -> Values:
    """
    Return credentials with a mask for each secret.

    *shows_token*: An account's access token is shown: its owner's own programs sign in with it.
    """
    form: Values = {
        "id": credentials.id,
        "provider": credentials.provider,
        "title": credentials.title,
        "type": credentials.kind.value,
    }
    match credentials:
        case kept.ApiKeyCredentials():
            return {**form, "api_key": MASK, "expires_at": credentials.expires_at}
        case kept.UserPasswordCredentials():
            return {**form, "username": MASK, "password": MASK}
        case kept.HostScopedCredentials():
            return {
                **form,
                "host": credentials.host,
                "headers": dict.fromkeys(credentials.headers, MASK),
            }
        case kept.OAuth2Credentials():
            if shows_token:
                reveal("credentials", credentials.id)
            return {
                **form,
                "username": credentials.username,
                "access_token": credentials.access_token.reveal() if shows_token else MASK,
                "access_token_expires_at": credentials.access_token_expires_at,
                "refresh_token": MASK if credentials.refresh_token else None,
                "refresh_token_expires_at": credentials.refresh_token_expires_at,
                "scopes": list(credentials.scopes),
                "metadata": dict(credentials.metadata),
            }


def needed_form(uses: Uses) -> Values:
    """Return why nothing was deleted: ``CredentialsDeletionNeedsConfirmationResponse``."""
    parts = [
        *_named("presets", uses.presets),
        *_named("schedules", uses.schedules),
        *([f"{uses.webhooks} webhooks"] if uses.webhooks else ()),
    ]
    return {
        "deleted": False,
        "need_confirmation": True,
        "message": f"These credentials are needed by {' and '.join(parts)}. "
        "Delete them all the same with force=true.",
    }


def _named(kind: str, names: Sequence[str]) -> Iterator[str]:
    """Yield *kind* with the first few *names*; nothing if there are none."""
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        yield f"{kind} ({', '.join(name[:100] for name in names[:_NAMED])}{more})"
