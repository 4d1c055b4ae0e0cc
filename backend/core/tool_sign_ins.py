"""Signing in to tool servers: what their documents say of who lets people in, and where those stand (pure).

The documents are those of RFC 9728 and RFC 8414, as the Model Context Protocol wants them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from backend.core.errors import BadRequest, SignInNeeded, WebFailed
from backend.core.providers import ClientAuth, OAuthProvider, Revocation

#: The provider of such credentials.
PROVIDER: Final = "mcp"
_RESOURCE_METADATA: Final = re.compile(r'resource_metadata\s*=\s*"([^"\s]{1,2000})"', re.IGNORECASE)
_SCOPE: Final = re.compile(r'\bscope\s*=\s*"([^"]{1,4000})"', re.IGNORECASE)
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_MOST_URL: Final = 2_000
_PORTS: Final = {"http": 80, "https": 443}
_AUTHS: Final = {
    "none": ClientAuth.NONE,
    "client_secret_post": ClientAuth.POST,
    "client_secret_basic": ClientAuth.BASIC,
}
#: What is kept of a client beside its secret, and shown with the credentials.
_KEPT: Final = ("server_url", "resource", "issuer", "token_url", "revoke_url", "client_id")


@dataclass(frozen=True, kw_only=True)
class Resource:
    """What a tool server says of itself: its name for tokens, who gives them, and for what."""

    resource: str
    issuers: tuple[str, ...]
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """Who gives tokens."""

    issuer: str
    authorize_url: str
    token_url: str
    register_url: str = ""
    revoke_url: str = ""
    auths: tuple[ClientAuth, ...] = (ClientAuth.BASIC,)


def checked_server(url: str) -> str:
    """Return the address of a tool server as it is named. Raises BadRequest if one cannot sign in there."""
    text = url.strip()
    parts = _parts(text)
    if parts is None or parts.username is not None or parts.fragment or len(text) > _MOST_URL:
        raise BadRequest(
            "server_url: the address of a tool server is needed, like https://host/mcp"
        )
    if not _is_safe(text):
        raise BadRequest("server_url: tokens are sent by https only")
    return text


def pages_about(server_url: str) -> tuple[str, ...]:
    """Return where a server that does not say it may tell who lets people in (RFC 9728, 3.1)."""
    parts = urlsplit(server_url)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    base = f"{origin}/.well-known/oauth-protected-resource"
    return tuple(dict.fromkeys((f"{base}{path}", base)))


def pages_of(issuer: str) -> tuple[str, ...]:
    """Return where an issuer tells its addresses, the likeliest first (RFC 8414, 3.1)."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    oauth, openid = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
    found = (f"{origin}{oauth}{path}", f"{origin}{openid}{path}", f"{origin}{path}{openid}")
    return tuple(dict.fromkeys(found))


def told_by(challenge: str) -> tuple[str, tuple[str, ...]]:
    """Return what a header WWW-Authenticate says: where the server tells who it is, and the scopes."""
    page, scope = _RESOURCE_METADATA.search(challenge), _SCOPE.search(challenge)
    return page[1] if page else "", tuple(scope[1].split()) if scope else ()


def read_resource(said: Any, server_url: str) -> Resource:
    """
    Read what a tool server says of itself.

    Raises:
        WebFailed: If it is another resource, or names nobody: tokens for it would go astray.
    """
    values = said if isinstance(said, dict) else {}
    resource = _text(values.get("resource"))
    if not is_below(server_url, resource):
        raise WebFailed("the tool server says that it is another one: nobody signs in there")
    issuers = tuple(one for one in _texts(values.get("authorization_servers")) if _is_safe(one))
    if not issuers:
        raise WebFailed("the tool server names nobody, at an https address, who gives tokens")
    return Resource(
        resource=resource, issuers=issuers, scopes=_texts(values.get("scopes_supported"))
    )


def read_issuer(said: Any, issuer: str) -> Issuer:
    """
    Read what an issuer says of itself.

    Raises:
        WebFailed: If it is another issuer, lacks an address, has one that is not https, or does
            not say that it checks a proof (S256): the protocol forbids to go on then.
    """
    values = said if isinstance(said, dict) else {}
    if _text(values.get("issuer")).rstrip("/") != issuer.rstrip("/"):
        raise WebFailed("who gives tokens for the tool server says that it is somebody else")
    authorize_url = _text(values.get("authorization_endpoint"))
    token_url = _text(values.get("token_endpoint"))
    register_url = _text(values.get("registration_endpoint"))
    revoke_url = _text(values.get("revocation_endpoint"))
    for name, url in (("authorization", authorize_url), ("token", token_url)):
        if not _is_safe(url):
            raise WebFailed(f"the {name} endpoint for the tool server is no https address")
    if "S256" not in _texts(values.get("code_challenge_methods_supported")):
        raise WebFailed("who gives tokens for the tool server does not check a proof (PKCE, S256)")
    told = _texts(values.get("token_endpoint_auth_methods_supported"))
    auths = tuple(_AUTHS[one] for one in told if one in _AUTHS)
    return Issuer(
        issuer=issuer,
        authorize_url=authorize_url,
        token_url=token_url,
        register_url=register_url if _is_safe(register_url) else "",
        revoke_url=revoke_url if _is_safe(revoke_url) else "",
        auths=auths or (() if told else (ClientAuth.BASIC,)),
    )


def auth_named(name: Any, otherwise: ClientAuth) -> ClientAuth:
    """Return the way that a registration names; *otherwise* if it names none that is known."""
    return _AUTHS.get(name, otherwise) if isinstance(name, str) else otherwise


def provider_at(issuer: Issuer, resource: str, auth: ClientAuth) -> OAuthProvider:
    """Return how tokens for *resource* are had from *issuer*."""
    return OAuthProvider(
        name=PROVIDER,
        authorize_url=issuer.authorize_url,
        token_url=issuer.token_url,
        revoke_url=issuer.revoke_url,
        revocation=Revocation.STANDARD if issuer.revoke_url else Revocation.NONE,
        client_auth=auth,
        extra={"resource": resource},
        token_extra={"resource": resource},
    )


def client_facts(
    provider: OAuthProvider, *, server_url: str, issuer: str, client_id: str
) -> dict[str, str]:
    """Return what is kept of us as a client of *provider*; nothing in it is secret."""
    return {
        "server_url": server_url,
        "resource": provider.token_extra["resource"],
        "issuer": issuer,
        "token_url": provider.token_url,
        "revoke_url": provider.revoke_url,
        "client_auth": provider.client_auth.value,
        "client_id": client_id,
    }


def provider_from(facts: Mapping[str, Any]) -> OAuthProvider:
    """Undo `client_facts`. Raises SignInNeeded for what it has not made."""
    if not all(isinstance(facts.get(name), str) for name in (*_KEPT, "client_auth")):
        raise SignInNeeded("These tokens do not say who renews them: connect the server again.")
    issuer = Issuer(
        issuer=facts["issuer"],
        authorize_url="",
        token_url=facts["token_url"],
        revoke_url=facts["revoke_url"],
    )
    if not _is_safe(issuer.token_url):
        raise SignInNeeded("These tokens are renewed at no https address: connect again.")
    return provider_at(issuer, facts["resource"], ClientAuth(facts["client_auth"]))


def is_below(url: str, resource: str) -> bool:
    """Say whether *url* is *resource*, or lies below it: tokens for one are for the other."""
    asked, named = _parts(url), _parts(resource)
    if asked is None or named is None or _place(asked) != _place(named):
        return False
    path = named.path.rstrip("/")
    if ".." in asked.path.split("/"):
        return False
    return asked.path.rstrip("/") == path or asked.path.startswith(f"{path}/")


def _place(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme]


def _is_safe(url: str) -> bool:
    """Say whether secrets may go to *url*: by https, or to this machine, which the gate guards."""
    parts = _parts(url)
    if parts is None or parts.username is not None or len(url) > _MOST_URL:
        return False
    return parts.scheme == "https" or parts.hostname in _LOCAL


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme in _PORTS and parts.hostname else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= _MOST_URL else ""


def _texts(value: Any) -> tuple[str, ...]:
    found = value[:100] if isinstance(value, list) else []
    return tuple(one for one in map(_text, found) if one)
