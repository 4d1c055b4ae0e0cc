"""Where a call goes, in which API, and with which key; decided before anything is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from backend.core.credentials import ApiKeyCredentials, Credentials, Secret
from backend.core.errors import BadRequest, NotConfigured, NotFound, WebRefused
from backend.core.model_keys import is_system_id
from backend.core.model_registry import ModelProvider, ModelRegistry
from backend.core.models import ModelRequest, ModelSpec

#: Of the provider of an address that a request brings along.
_ELSEWHERE: Final = "openai_compatible"


@dataclass(frozen=True, kw_only=True)
class Target:
    """
    One model at one address.

    Attributes:
        key: None: the server wants none.
        trusted_origins: Those that an operator has named for this provider; never what a request
            brought along.
    """

    spec: ModelSpec
    provider: ModelProvider
    key: Secret | None
    trusted_origins: tuple[str, ...] = ()

    @property
    def wire_name(self) -> str:
        """The model as its provider names it."""
        return self.spec.wire_name or self.spec.name

    def __str__(self) -> str:
        return f"{self.provider.title} ({self.spec.name})"


def target_of(
    request: ModelRequest,
    registry: ModelRegistry,
    credentials: Credentials | None,
    keys: Mapping[str, Secret],
) -> Target:
    """
    Return where *request* goes.

    Raises:
        NotFound, NotConfigured, WebRefused: As the port says.
        BadRequest: If the credentials are no key, or one for another provider.
    """
    if request.base_url and not _is_known(request, registry):
        return _elsewhere(request, registry, credentials)
    spec = registry.find(request.model)
    provider = registry.providers[spec.provider]
    key = _key_in(credentials, provider) or keys.get(provider.name)
    if not key and provider.needs_key:
        setting = f", or set {provider.key_setting} on the server" if provider.key_setting else ""
        raise NotConfigured(
            f"{spec.name} is a model of {provider.title}, and there is no key for it: give the node "
            f"credentials of {provider.name!r}{setting}."
        )
    return Target(
        spec=spec,
        provider=provider,
        key=key or None,
        trusted_origins=_origins_named(provider, registry),
    )


def _is_known(request: ModelRequest, registry: ModelRegistry) -> bool:
    """Whether the address is the one of the model's provider anyway."""
    try:
        provider = registry.providers[registry.find(request.model).provider]
    except NotFound:
        return False
    return provider.base_url == request.base_url.rstrip("/")


def _elsewhere(
    request: ModelRequest, registry: ModelRegistry, credentials: Credentials | None
) -> Target:
    """Return a server of the request's own. The operator's keys are never sent there."""
    if urlsplit(request.base_url).scheme not in ("http", "https"):
        raise WebRefused("the address of a model's server begins with http:// or https://")
    try:
        spec = registry.find(request.model)
    except NotFound:
        spec = ModelSpec(name=request.model, provider=_ELSEWHERE)
    host = urlsplit(request.base_url).netloc.rpartition("@")[2]
    provider = ModelProvider(
        name=_ELSEWHERE, title=host[:200], base_url=request.base_url.rstrip("/"), needs_key=False
    )
    return Target(spec=spec, provider=provider, key=_key_in(credentials, None))


def _key_in(credentials: Credentials | None, provider: ModelProvider | None) -> Secret | None:
    if credentials is None or is_system_id(credentials.id):
        return None  # the operator's own are known here, and go to their provider alone
    if not isinstance(credentials, ApiKeyCredentials):
        raise BadRequest(f"a model wants an API key, and these credentials are {credentials.kind}")
    if provider is not None and credentials.provider != provider.name:
        raise BadRequest(
            f"these credentials are of {credentials.provider!r}, and the model is of "
            f"{provider.name!r}: they are not shown to it"
        )
    return credentials.api_key


def _origins_named(provider: ModelProvider, registry: ModelRegistry) -> tuple[str, ...]:
    """Return the origin of a provider that an operator has put somewhere, which opens it."""
    if provider.name not in registry.placed:
        return ()
    parts = urlsplit(provider.base_url)
    return (f"{parts.scheme}://{parts.netloc}",)
