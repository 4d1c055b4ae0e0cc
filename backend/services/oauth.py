"""OAuth 2 for apps of others: a user's leave, codes, tokens, and what becomes of them (contract 16)."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from backend.core.audit import By
from backend.core.errors import BadRequest
from backend.core.ids import OAuthAppId, UserId
from backend.core.oauth import (
    ACCESS_PREFIX,
    REFRESH_PREFIX,
    AuthorizationCode,
    OAuthApp,
    OAuthToken,
    TokenKind,
    hash_of,
    is_challenge,
    proves,
    with_query,
)
from backend.core.permissions import Permission
from backend.ports.clock import Clock
from backend.ports.oauth import OAuthStorage
from backend.services.audit import name_actor, name_object

MayAct: TypeAlias = Callable[[UserId], Awaitable[bool]]

CODE_S: Final = 10 * 60
ACCESS_S: Final = 3600
REFRESH_S: Final = 30 * 24 * 3600
_RANDOM_BYTES: Final = 32
#: No text of ours is longer, and nothing longer is hashed for anybody.
_MAX_TEXT: Final = 500


@dataclass(frozen=True, kw_only=True)
class Leave:
    """
    What an app asks a user for.

    Attributes:
        challenge: Of a verifier that only the app knows; who brings the code must bring it.
    """

    client_id: str
    redirect_uri: str
    scopes: Sequence[str]
    state: str
    response_type: str
    challenge: str
    challenge_method: str


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What an app trades for tokens."""

    code: str = field(repr=False)
    redirect_uri: str
    verifier: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Tokens with their texts, which are not kept."""

    access: OAuthToken
    refresh: OAuthToken
    access_text: str = field(repr=False)
    refresh_text: str = field(repr=False)


class OAuthService:
    """Codes and tokens of all users and apps."""

    def __init__(self, *, storage: OAuthStorage, clock: Clock, may_act: MayAct) -> None:
        """Keep tokens in *storage*; *may_act* says whether a user is let in at all."""
        self._storage = storage
        self._clock = clock
        self._may_act = may_act

    async def authorize(self, user_id: UserId, leave: Leave) -> str:
        """
        Give an app the leave it asks *user_id* for; return where the browser goes with it.

        What is wrong with the request, but for where it goes, is told to the app there.

        Raises:
            BadRequest: If there is no such app, it is off, or it has not registered that address:
                then nobody is sent anywhere.
        """
        app = await self._storage.app_of_client(leave.client_id[:_MAX_TEXT])
        if app is None or not app.is_active:
            raise BadRequest("There is no such app, or it is switched off.")
        if leave.redirect_uri not in app.redirect_uris:
            raise BadRequest("redirect_uri is none that this app has registered.")
        refused = _refusal(leave, app)
        if refused is not None:
            error, why = refused
            told = {"error": error, "error_description": why, "state": leave.state}
            return with_query(leave.redirect_uri, told)
        text = secrets.token_urlsafe(_RANDOM_BYTES)
        now_us = self._clock.now_us()
        code = AuthorizationCode(
            hash=hash_of(text),
            app_id=app.id,
            user_id=user_id,
            family=self._clock.new_id(),
            redirect_uri=leave.redirect_uri,
            scopes=tuple(one for one in app.scopes if one in leave.scopes),
            challenge=leave.challenge,
            expires_us=now_us + CODE_S * 1_000_000,
        )
        await self._storage.add_code(code, now_us=now_us)
        return with_query(leave.redirect_uri, {"code": text, "state": leave.state})

    async def client(
        self, client_id: str, client_secret: str, *, also_off: bool = False
    ) -> OAuthApp | None:
        """Return the app that has this id and secret; None if none has, or it is off."""
        app = await self._storage.app_of_client(client_id[:_MAX_TEXT])
        if app is None or not app.secret.fits(client_secret[:_MAX_TEXT]):
            return None
        return app if app.is_active or also_off else None

    async def exchange(self, app: OAuthApp, proof: Proof) -> Pair:
        """
        Return tokens for a code. It is good once; brought again, all that came of it is revoked.

        Raises:
            BadRequest: If the code is not good, not this app's, or not proven. It is used up then.
        """
        refused = BadRequest("The code is not good, or not good any more.")
        code = await self._storage.code(hash_of(proof.code[:_MAX_TEXT]))
        if code is None or code.app_id != app.id:
            raise refused
        name_actor(code.user_id, By.OAUTH, app.id)
        name_object(app.id)
        now_us = self._clock.now_us()
        is_good = (
            now_us < code.expires_us
            and proof.redirect_uri == code.redirect_uri
            and proves(proof.verifier, code.challenge)
            and await self._may_act(code.user_id)
        )
        pair = self._pair(app.id, code.user_id, code.family, code.scopes)
        tokens = (pair.access, pair.refresh) if is_good else ()
        # Only one of two who bring the same code changes its row.
        if not await self._storage.redeem(code.hash, tokens, now_us=now_us):
            await self._storage.revoke_family(code.family, now_us=now_us)
            raise refused
        if not is_good:
            raise refused
        return pair

    async def refresh(self, app: OAuthApp, text: str) -> Pair:
        """
        Return tokens for a refresh token, which is revoked with that.

        One that is brought again was stolen, or its successor was: all of its family is revoked.

        Raises:
            BadRequest: If the token is not good, or not this app's.
        """
        refused = BadRequest("The refresh token is not good, or not good any more.")
        found = await self._own(app, text)
        if found is None or found.kind is not TokenKind.REFRESH:
            raise refused
        name_actor(found.user_id, By.OAUTH, app.id)
        name_object(app.id)
        now_us = self._clock.now_us()
        if found.revoked_us is None and not found.is_good(now_us):
            raise refused
        if not await self._may_act(found.user_id):
            raise refused
        pair = self._pair(app.id, found.user_id, found.family, found.scopes)
        tokens = (pair.access, pair.refresh)
        if not await self._storage.rotate(found.hash, tokens, now_us=now_us):
            await self._storage.revoke_family(found.family, now_us=now_us)
            raise refused
        return pair

    async def introspect(self, app: OAuthApp, text: str) -> OAuthToken | None:
        """Return a token of this app that may be used now; None for all others."""
        found = await self._own(app, text)
        if found is None or not app.is_active or not found.is_good(self._clock.now_us()):
            return None
        return found if await self._may_act(found.user_id) else None

    async def revoke(self, app: OAuthApp, text: str) -> None:
        """Revoke a token of this app; all others, and unknown ones, are left alone without a word."""
        found = await self._own(app, text)
        if found is not None:
            name_actor(found.user_id, By.OAUTH, app.id)
            name_object(app.id)
            await self._storage.revoke(found.hash, now_us=self._clock.now_us())

    async def known(self, text: str) -> OAuthToken | None:
        """Return the access token that *text* is, if it may be used now. Storage is asked each time."""
        if not text.startswith(ACCESS_PREFIX) or len(text) > _MAX_TEXT:
            return None
        found = await self._storage.token(hash_of(text))
        if found is None:
            return None
        token, app = found
        if token.kind is not TokenKind.ACCESS or not app.is_active:
            return None
        is_good = token.is_good(self._clock.now_us()) and await self._may_act(token.user_id)
        return token if is_good else None

    async def _own(self, app: OAuthApp, text: str) -> OAuthToken | None:
        found = await self._storage.token(hash_of(text[:_MAX_TEXT]))
        return found[0] if found is not None and found[1].id == app.id else None

    def _pair(
        self, app_id: OAuthAppId, user_id: UserId, family: str, scopes: tuple[Permission, ...]
    ) -> Pair:
        now_us = self._clock.now_us()

        def made(kind: TokenKind, prefix: str, good_s: int) -> tuple[OAuthToken, str]:
            text = prefix + secrets.token_urlsafe(_RANDOM_BYTES)
            token = OAuthToken(
                hash=hash_of(text),
                kind=kind,
                app_id=app_id,
                user_id=user_id,
                family=family,
                scopes=scopes,
                created_us=now_us,
                expires_us=now_us + good_s * 1_000_000,
            )
            return token, text

        access, access_text = made(TokenKind.ACCESS, ACCESS_PREFIX, ACCESS_S)
        refresh, refresh_text = made(TokenKind.REFRESH, REFRESH_PREFIX, REFRESH_S)
        return Pair(
            access=access, refresh=refresh, access_text=access_text, refresh_text=refresh_text
        )


def _refusal(leave: Leave, app: OAuthApp) -> tuple[str, str] | None:
    """Return the error of RFC 6749 that *leave* gets, and why; None if it may be given."""
    if leave.response_type != "code":
        return "unsupported_response_type", "Only the response type code is known."
    if not leave.scopes or not set(leave.scopes) <= set(app.scopes):
        return "invalid_scope", "Ask for one or more of the scopes that the app was given."
    # `plain` would send the verifier itself through the browser, which S256 is there to avoid.
    if leave.challenge_method != "S256" or not is_challenge(leave.challenge):
        return "invalid_request", "Send the S256 code_challenge of your code_verifier."
    return None
