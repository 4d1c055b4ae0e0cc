"""What users keep to sign in elsewhere. A secret shows itself only to who asks for it by name."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, Final, NoReturn, TypeAlias
from urllib.parse import urlsplit

from backend.core.ids import CredentialsId, UserId

#: What stands in place of a secret.
MASK: Final = "**********"


class Secret:
    """A text that no log, error, template or JSON gets by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text. Never keep it, never put it where others read."""
        return self._text

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __format__(self, _spec: str) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not copied into bytes")


class CredentialsKind(StrEnum):
    """How credentials let their owner in; the value is their ``type`` on the wire."""

    KEY = "api_key"
    OAUTH2 = "oauth2"
    LOGIN = "user_password"
    HOST_SCOPED = "host_scoped"


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKeyCredentials:
    """A key. *expires_at* is in Unix seconds."""

    kind: ClassVar[CredentialsKind] = CredentialsKind.KEY

    id: CredentialsId
    provider: str
    title: str | None = None
    api_key: Secret
    expires_at: int | None = None

    def authorization(self) -> Secret:
        """Return the value of the header ``Authorization``."""
        key = self.api_key.reveal()
        # This one provider takes its keys bare (spec/contract.md 10.1).
        return Secret(key if self.provider == "linear" else f"Bearer {key}")


@dataclass(frozen=True, kw_only=True, slots=True)
class UserPasswordCredentials:
    """A name and a password."""

    kind: ClassVar[CredentialsKind] = CredentialsKind.LOGIN

    id: CredentialsId
    provider: str
    title: str | None = None
    username: Secret
    password: Secret

    def authorization(self) -> Secret:
        """Return the value of the header ``Authorization``."""
        pair = f"{self.username.reveal()}:{self.password.reveal()}"
        return Secret(f"Basic {base64.b64encode(pair.encode()).decode()}")


@dataclass(frozen=True, kw_only=True, slots=True)
class HostScopedCredentials:
    """Headers for one host, or with ``*.`` before it for a domain and all below it."""

    kind: ClassVar[CredentialsKind] = CredentialsKind.HOST_SCOPED

    id: CredentialsId
    provider: str
    title: str | None = None
    host: str
    headers: Mapping[str, Secret] = field(default_factory=dict)

    def authorization(self) -> Secret:
        """Return the value of the header ``Authorization``; empty if there is none."""
        found = [value for name, value in self.headers.items() if name.lower() == "authorization"]
        return found[0] if found else Secret("")

    def matches(self, url: str) -> bool:
        """Say whether the headers may go to *url*; ports do not matter (spec/semantics.md 1.5)."""
        try:
            given = (urlsplit(url).hostname or "").rstrip(".")
        except ValueError:
            return False
        host = host_of(self.host)
        if not given or not host:
            return False
        if host.startswith("*."):
            domain = host[2:]
            return given == domain or given.endswith(f".{domain}")
        return given == host


@dataclass(frozen=True, kw_only=True, slots=True)
class OAuth2Credentials:
    """Tokens of an account at a provider. Times are in Unix seconds."""

    kind: ClassVar[CredentialsKind] = CredentialsKind.OAUTH2

    id: CredentialsId
    provider: str
    title: str | None = None
    username: str | None = None
    access_token: Secret
    access_token_expires_at: int | None = None
    refresh_token: Secret | None = None
    refresh_token_expires_at: int | None = None
    scopes: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    client_secret: Secret | None = None  #: of a client that was registered for these alone

    def authorization(self) -> Secret:
        """Return the value of the header ``Authorization``."""
        return Secret(f"Bearer {self.access_token.reveal()}")


Credentials: TypeAlias = (
    ApiKeyCredentials | OAuth2Credentials | UserPasswordCredentials | HostScopedCredentials
)

_KINDS: Final[Mapping[CredentialsKind, type[Credentials]]] = {
    CredentialsKind.KEY: ApiKeyCredentials,
    CredentialsKind.OAUTH2: OAuth2Credentials,
    CredentialsKind.LOGIN: UserPasswordCredentials,
    CredentialsKind.HOST_SCOPED: HostScopedCredentials,
}
#: Fields that hold a `Secret`, and those that hold several by name.
_SECRET: Final = frozenset(
    {"api_key", "password", "access_token", "refresh_token", "client_secret"}
)
#: Written only where there is one: an older server that runs beside this one knows it not.
_LATER: Final = frozenset({"client_secret"})
_SECRETS: Final = frozenset({"headers"})


def host_of(pattern: str) -> str:
    """Return the host in what people type for one: without scheme, port, path and capitals."""
    text = pattern.strip()
    try:
        return (urlsplit(text if "://" in text else f"//{text}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def secrets_in(credentials: Credentials) -> list[Secret]:
    """Return all secrets of *credentials*, and what headers make of them."""
    found: list[Secret] = [credentials.authorization()]
    for each in fields(credentials):
        value = getattr(credentials, each.name)
        if isinstance(value, Secret):
            found.append(value)
        elif each.name in _SECRETS:
            found.extend(value.values())
    return [secret for secret in found if secret]


def to_values(credentials: Credentials) -> dict[str, Any]:
    """Return *credentials* as JSON *with their secrets*: to be sealed, and for nothing else."""
    values: dict[str, Any] = {"kind": credentials.kind.value}
    for each in fields(credentials):
        value = getattr(credentials, each.name)
        if value is not None or each.name not in _LATER:
            values[each.name] = _plain(value)
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value


def from_values(values: Mapping[str, Any]) -> Credentials:
    """Undo `to_values`. Raises KeyError, TypeError or ValueError for what it has not made."""
    kind = _KINDS[CredentialsKind(values["kind"])]
    is_named = kind is UserPasswordCredentials  # its name is secret, that of an account is not
    read: dict[str, Any] = {}
    for name, value in values.items():
        if name == "kind":
            continue
        if value is not None and (name in _SECRET or (name == "username" and is_named)):
            read[name] = Secret(value)
        elif name in _SECRETS:
            read[name] = {header: Secret(text) for header, text in value.items()}
        else:
            read[name] = tuple(value) if name == "scopes" else value
    made: Credentials = kind(**read)
    return made


@dataclass(frozen=True, kw_only=True, slots=True)
class CredentialsRecord:
    """
    Credentials as they are kept: what may be shown, and the rest sealed.

    Attributes:
        username: Of an account at a provider only; the name that goes with a password is sealed.
        sealed: All of them, by the vault.
        revision: Grows by one with each change.
    """

    id: CredentialsId
    user_id: UserId
    provider: str
    kind: CredentialsKind
    title: str | None = None
    username: str | None = None
    host: str | None = None
    scopes: tuple[str, ...] | None = None
    sealed: str = field(repr=False)
    revision: int = 1
    created_us: int = 0
    updated_us: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SignIn:
    """
    Somebody is away signing in at a provider.

    Attributes:
        key: Of the state that travels with them; the state itself is kept nowhere.
        sealed: What only we may know until they are back.
    """

    key: str
    user_id: UserId
    provider: str
    scopes: tuple[str, ...]
    sealed: str = field(repr=False)
    expires_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Uses:
    """Who would miss credentials: names of presets and of schedules, and how many webhooks."""

    presets: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()
    webhooks: int = 0

    def __bool__(self) -> bool:
        return bool(self.presets or self.schedules or self.webhooks)


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedRow:
    """One sealed value and where it stands: the table, its owner, its id."""

    place: str
    user_id: UserId
    id: str
    sealed: str = field(repr=False)
