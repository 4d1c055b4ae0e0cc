"""What is said to a provider at its token address. Requests are Authlib's, the way out is the guarded one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from backend.core.credentials import Secret
from backend.core.errors import BadRequest, SignInNeeded, Unavailable, WebFailed
from backend.core.json import JsonObject
from backend.core.providers import ClientAuth, OAuthProvider, Revocation
from backend.ports.web import RawBody, WebClient, WebLimits, WebResponse

#: A token is small, and a person may be waiting.
_LIMITS: Final = WebLimits(timeout_s=20.0, max_bytes=256 * 1024, max_redirects=0)
_FORM: Final = "application/x-www-form-urlencoded"
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
#: Errors that more tries do not mend: the grant is gone (RFC 6749, 5.2).
_GONE: Final = frozenset({"invalid_grant", "bad_refresh_token", "access_denied"})
_MOST_TOKEN: Final = 100_000


@dataclass(frozen=True, kw_only=True)
class OAuthClient:
    """
    This installation as a client of one provider.

    Attributes:
        trusted: Origins that the operator has put in the provider's place; they may be private.
    """

    provider: OAuthProvider
    client_id: str
    client_secret: Secret
    trusted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TokenAnswer:
    """What a provider gives. *said* is all of it, with its secrets."""

    access_token: Secret
    refresh_token: Secret | None
    expires_in_s: int | None
    scopes: tuple[str, ...] | None
    said: Mapping[str, Any] = field(repr=False)


class OAuthCalls:
    """
    Calls of all providers.

    Every method raises Unavailable (WebFailed, WebTimedOut, …) when the provider does not answer in
    time, fails, asks for patience, or answers nonsense; no message repeats what it said.
    """

    def __init__(self, web: WebClient) -> None:
        #: The guarded way out.
        self.web = web

    async def exchange(
        self, client: OAuthClient, *, code: str, verifier: str | None, redirect_uri: str
    ) -> TokenAnswer:
        """
        Return the tokens for a code.

        Raises:
            BadRequest: If the provider refuses the code.
        """
        fields = {"code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
        answer = await self._ask(client, "authorization_code", fields)
        if not answer.ok:
            why = _why(answer)
            raise BadRequest(f"{client.provider.name} refuses the sign-in ({why}); begin it again.")
        return _tokens(client, answer)

    async def refresh(self, client: OAuthClient, refresh_token: Secret) -> TokenAnswer:
        """
        Return fresh tokens for an old one.

        Raises:
            SignInNeeded: If the provider takes it no more.
        """
        fields = {"refresh_token": refresh_token.reveal()}
        answer = await self._ask(client, "refresh_token", fields)
        if not answer.ok:
            name, why = client.provider.name, _why(answer)
            if _said(answer).get("error") in _GONE:
                raise SignInNeeded(f"{name} renews these tokens no more ({why}): connect again.")
            # It may be about us, or about its own day, and not about the tokens.
            raise Unavailable(f"{name} does not renew these tokens now ({why}).")
        return _tokens(client, answer)

    async def revoke(self, client: OAuthClient, token: Secret, *, hint: str) -> bool:
        """Tell the provider that *token* counts no more; say whether it agreed."""
        provider = client.provider
        match provider.revocation:
            case Revocation.NONE:
                return False
            case Revocation.STANDARD:
                from authlib.oauth2.rfc7009 import (  # noqa: PLC0415 - start stays light
                    prepare_revoke_token_request,
                )

                body, headers = prepare_revoke_token_request(token.reveal(), hint)
                answer = await self._send_as_client(client, provider.revoke_url, body, headers)
            case Revocation.QUERY:
                body = f"token={quote(token.reveal(), safe='')}"
                answer = await self._send(client, "POST", provider.revoke_url, body, {})
            case Revocation.GITHUB:
                url = provider.revoke_url.format(client_id=quote(client.client_id, safe=""))
                named = json.dumps({"access_token": token.reveal()})
                headers = {"Content-Type": "application/json"}
                _, headers, named = _authenticated(client, ClientAuth.BASIC, url, headers, named)
                answer = await self._send(client, "DELETE", url, named, headers)
        return answer.ok

    async def whose(self, client: OAuthClient, answer: TokenAnswer) -> str | None:
        """Return the name of the account; None if nobody tells, which keeps nobody from using it."""
        provider, said = client.provider, answer.said
        if provider.user_url:
            bearer = f"Bearer {answer.access_token.reveal()}"
            try:
                response = await self._send(
                    client, "GET", provider.user_url, None, {"Authorization": bearer}
                )
                found = response.json() if response.ok else None
            except Unavailable:
                return None
            said = found if isinstance(found, dict) else {}
        names = (_at(said, place) for place in provider.username_at)
        return next((name for name in names if name), None)

    async def _ask(
        self, client: OAuthClient, grant: str, fields: Mapping[str, str | None]
    ) -> WebResponse:
        from authlib.oauth2.rfc6749.parameters import (  # noqa: PLC0415 - start stays light
            prepare_token_request,
        )

        provider = client.provider
        fields = {**provider.token_extra, **fields}
        if provider.is_json:
            given = {name: value for name, value in fields.items() if value}
            body = json.dumps({"grant_type": grant, **given})
            headers = {"Content-Type": "application/json"}
        else:
            body = prepare_token_request(grant, **fields)
            headers = {"Content-Type": _FORM}
        answer = await self._send_as_client(client, provider.token_url, body, headers)
        _require_sense(client, answer)
        return answer

    async def _send_as_client(
        self, client: OAuthClient, url: str, body: str, headers: dict[str, str]
    ) -> WebResponse:
        way = client.provider.client_auth
        url, headers, body = _authenticated(client, way, url, headers, body)
        return await self._send(client, "POST", url, body, headers)

    async def _send(
        self,
        client: OAuthClient,
        method: str,
        url: str,
        body: str | None,
        headers: Mapping[str, str],
    ) -> WebResponse:
        media_type = headers.get("Content-Type", _FORM)
        return await self.web.send(
            method,
            url,
            headers={
                "Accept": "application/json",
                "User-Agent": "agpt-server",
                **{name: value for name, value in headers.items() if name != "Content-Type"},
            },
            body=None if body is None else RawBody(content=body.encode(), media_type=media_type),
            limits=_LIMITS,
            trusted_origins=client.trusted,
        )


def _authenticated(
    client: OAuthClient, way: ClientAuth, url: str, headers: dict[str, str], body: str
) -> tuple[str, dict[str, str], str]:
    from authlib.oauth2.auth import ClientAuth as Signer  # noqa: PLC0415 - start stays light

    name = "none" if way is ClientAuth.NONE else f"client_secret_{way.value}"
    signer = Signer(client.client_id, client.client_secret.reveal(), name)
    signed: tuple[str, dict[str, str], str] = signer.prepare("POST", url, headers, body)
    return signed


def _require_sense(client: OAuthClient, answer: WebResponse) -> None:
    """Refuse answers that say nothing about the grant: they may be different in a minute."""
    status, name = answer.status, client.provider.name
    if status == _TOO_MANY:
        raise Unavailable(f"{name} asks for patience (status 429): try again later.")
    if status >= _SERVER_ERROR:
        raise Unavailable(f"{name} fails (status {status}): try again later.")
    if 300 <= status < 400:  # noqa: PLR2004 - the borders HTTP itself draws
        raise WebFailed(f"{name} sends its token requests elsewhere (status {status}).")


def _said(answer: WebResponse) -> JsonObject:
    try:
        said = answer.json()
    except WebFailed:
        return {}
    return said if isinstance(said, dict) else {}


def _why(answer: WebResponse) -> str:
    """Return the provider's word for what is wrong, if it is one: anything may stand in an answer."""
    word = _said(answer).get("error")
    is_word = isinstance(word, str) and word.replace("_", "").isalpha() and len(word) < 50  # noqa: PLR2004 - see above
    return f"status {answer.status}, {word}" if is_word else f"status {answer.status}"


def _tokens(client: OAuthClient, answer: WebResponse) -> TokenAnswer:
    said, name = _said(answer), client.provider.name
    if "error" in said:  # one provider says so with status 200
        if said["error"] in _GONE:
            raise SignInNeeded(f"{name} takes this sign-in no more: connect the account again.")
        raise BadRequest(f"{name} refuses the sign-in; begin it again.")
    access, refresh = said.get("access_token"), said.get("refresh_token")
    if not isinstance(access, str) or not 0 < len(access) <= _MOST_TOKEN:
        raise WebFailed(f"{name} answers without a token.")
    has_refresh = isinstance(refresh, str) and 0 < len(refresh) <= _MOST_TOKEN
    return TokenAnswer(
        access_token=Secret(access),
        refresh_token=Secret(str(refresh)) if has_refresh else None,
        expires_in_s=_seconds(said.get("expires_in")),
        scopes=_scopes(said.get("scope")),
        said=said,
    )


def _seconds(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) < 12:  # noqa: PLR2004 - as below
        value = int(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 < value < 10**11 else None


def _scopes(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, str):
        return None
    # Some put commas between them.
    return tuple(dict.fromkeys(value.replace(",", " ").split()))


def _at(said: Mapping[str, Any], place: str) -> str | None:
    found: Any = said
    for step in place.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found[:500] if isinstance(found, str) and found else None
