"""Signing in to tool servers: who gives tokens for one is found out, and told who we are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.core.credentials import Secret
from backend.core.errors import NotConfigured, WebFailed
from backend.core.json import JsonObject
from backend.core.providers import ClientAuth
from backend.core.tool_sign_ins import (
    Issuer,
    Resource,
    auth_named,
    checked_server,
    client_facts,
    pages_about,
    pages_of,
    provider_at,
    provider_from,
    read_issuer,
    read_resource,
    told_by,
)
from backend.ports.web import JsonBody, WebClient, WebLimits, WebResponse
from backend.services.oauth_calls import OAuthClient

_NAME: Final = "agpt-server"
_MOST_SECRET: Final = 4_000
_UNAUTHORIZED: Final = 401
#: Documents are small, and a person waits. What is posted goes nowhere else.
_LOOKED_UP: Final = WebLimits(timeout_s=15.0, max_bytes=256 * 1024, max_redirects=2)
_POSTED: Final = WebLimits(timeout_s=15.0, max_bytes=256 * 1024, max_redirects=0)
#: Who is not let in is told so before it is read.
_QUESTION: Final[JsonObject] = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@dataclass(frozen=True, kw_only=True)
class ToolSignIn:
    """
    Us as a client of who gives tokens for a tool server.

    Attributes:
        scopes: That the server wants; empty: it does not say.
        facts: By which the client is known again.
    """

    client: OAuthClient
    scopes: tuple[str, ...]
    facts: Mapping[str, str]


class ToolSignIns:
    """All tool servers. Everything passes the guarded way out: their addresses are anybody's."""

    def __init__(self, web: WebClient) -> None:
        self._web = web

    async def found(self, server_url: str, redirect_uri: str) -> ToolSignIn:
        """
        Find out who gives tokens for *server_url*, and register there as a new client.

        Raises:
            BadRequest: If the address is none, or not https.
            NotConfigured: If clients are not registered there without a person.
            WebFailed and its like: If the server, or who it names, does not answer as it should.
        """
        url = checked_server(server_url)
        resource = await self._resource(url)
        issuer = await self._issuer(resource.issuers[0])
        if not issuer.register_url:
            raise NotConfigured(
                "Who gives tokens for this tool server registers no clients by itself. Get a token"
                " there, and keep it as a header for the server's host."
            )
        auth = _way(issuer)
        said = await self._registered(issuer, auth, redirect_uri)
        client_id, secret = _client_of(said)
        auth = auth_named(said.get("token_endpoint_auth_method"), auth)
        provider = provider_at(issuer, resource.resource, auth if secret else ClientAuth.NONE)
        facts = client_facts(provider, server_url=url, issuer=issuer.issuer, client_id=client_id)
        return ToolSignIn(
            client=OAuthClient(provider=provider, client_id=client_id, client_secret=secret),
            scopes=resource.scopes,
            facts=facts,
        )

    async def _resource(self, url: str) -> Resource:
        answer = await self._web.send(
            "POST",
            url,
            headers={
                "Accept": "application/json, text/event-stream",
                "User-Agent": _NAME,
            },
            body=JsonBody(value=_QUESTION),
            limits=_POSTED,
        )
        challenge = answer.header("www-authenticate") or ""
        page, scopes = told_by(challenge) if answer.status == _UNAUTHORIZED else ("", ())
        said = await self._first((page,) if page else pages_about(url))
        if said is None:
            raise WebFailed(
                f"the tool server does not say who gives tokens for it (status {answer.status})"
            )
        found = read_resource(said, url)
        return Resource(
            resource=found.resource, issuers=found.issuers, scopes=scopes or found.scopes
        )

    async def _issuer(self, issuer: str) -> Issuer:
        said = await self._first(pages_of(issuer))
        if said is None:
            raise WebFailed("who gives tokens for the tool server does not say how")
        return read_issuer(said, issuer)

    async def _first(self, pages: tuple[str, ...]) -> Any:
        """Return the first document that there is; None if there is none."""
        for page in pages:
            answer = await self._web.send(
                "GET", page, headers={"Accept": "application/json"}, limits=_LOOKED_UP
            )
            if answer.ok:
                return answer.json()
        return None

    async def _registered(
        self, issuer: Issuer, auth: ClientAuth, redirect_uri: str
    ) -> Mapping[str, Any]:
        name = "none" if auth is ClientAuth.NONE else f"client_secret_{auth.value}"
        wanted: JsonObject = {
            "client_name": _NAME,
            "redirect_uris": [redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": name,
        }
        answer = await self._web.send(
            "POST",
            issuer.register_url,
            headers={"Accept": "application/json", "User-Agent": _NAME},
            body=JsonBody(value=wanted),
            limits=_POSTED,
        )
        if not answer.ok:
            raise WebFailed(
                f"who gives tokens for the tool server registers us not (status {answer.status})"
            )
        return _object(answer)


def client_from(facts: Mapping[str, Any], secret: Secret | None) -> OAuthClient:
    """Return the client that was registered once. Raises SignInNeeded if *facts* do not say it."""
    provider = provider_from(facts)
    return OAuthClient(
        provider=provider, client_id=facts["client_id"], client_secret=secret or Secret("")
    )


def _way(issuer: Issuer) -> ClientAuth:
    """Return how we show who we are: without a secret where that will do, for PKCE proves more."""
    if ClientAuth.NONE in issuer.auths:
        return ClientAuth.NONE
    if not issuer.auths:
        raise WebFailed("who gives tokens for the tool server wants a proof that we do not have")
    return issuer.auths[0]


def _client_of(said: Mapping[str, Any]) -> tuple[str, Secret]:
    client_id, secret = said.get("client_id"), said.get("client_secret")
    if not isinstance(client_id, str) or not 0 < len(client_id) <= _MOST_SECRET:
        raise WebFailed("who gives tokens for the tool server registers us without an id")
    has_secret = isinstance(secret, str) and 0 < len(secret) <= _MOST_SECRET
    return client_id, Secret(str(secret) if has_secret else "")


def _object(answer: WebResponse) -> Mapping[str, Any]:
    said = answer.json()
    if not isinstance(said, dict):
        raise WebFailed("who gives tokens for the tool server answers nonsense")
    return said
