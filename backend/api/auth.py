"""Who asks: bearer tokens (spec/contract.md 2.1) and acting for another user (2.2)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Final

import jwt
import structlog
from fastapi import HTTPException
from jwt.types import Options
from starlette.types import Scope

from backend.core.audit import By
from backend.core.ids import UserId
from backend.services.bounded import BoundedCache
from backend.services.key_set import ALGORITHMS, KeySet
from backend.services.local_tokens import (
    ADMIN_ROLE,
    AUDIENCE,
    LOCAL_ISSUER,
    SESSION_CLAIM,
    LocalKey,
)
from backend.services.standings import Standings
from backend.services.users import OWNER, Caller

log = structlog.get_logger(__name__)

#: Tokens whose signature was checked and is not checked again until they expire.
MAX_CACHED: Final = 10_000
MAX_TOKEN_LENGTH: Final = 8_192
_MAX_ID_LENGTH: Final = 200

#: How far the clock of whoever makes tokens may be ahead of ours.
CLOCK_SKEW_S: Final = 10.0
_END_OF_TIME_S: Final = 2**63


class NotAuthenticated(HTTPException):
    """The token is missing or not good: 401."""

    def __init__(self, detail: str) -> None:
        super().__init__(401, detail, {"WWW-Authenticate": "Bearer"})


@dataclass(frozen=True, slots=True)
class _Known:
    """A token whose signature and claims are good until it expires."""

    caller: Caller
    as_admin: Caller
    expires_s: float


@dataclass(frozen=True, kw_only=True)
class Expected:
    """
    What tokens of others must say.

    Attributes:
        issuer: Empty: anybody who has the key.
    """

    audience: str = AUDIENCE
    issuer: str = ""


class UnknownKey(NotAuthenticated):
    """The token is signed with a key that is not known, or not yet."""


class Authenticator:
    """Says who asks. Tokens are checked once and remembered until they expire."""

    def __init__(
        self,
        *,
        key: str,
        algorithm: str,
        now_s: Callable[[], float],
        standings: Standings,
        local: LocalKey | None = None,
        key_set: KeySet | None = None,
        expected: Expected | None = None,
        enabled: bool = True,
    ) -> None:
        """
        Take what tokens are checked with.

        Which of the keys it is depends on the token's algorithm; each has its own, and is never
        tried with another.

        Args:
            key: A shared secret, or a public key in PEM form, as *algorithm* needs it.
            algorithm: The only one that is accepted with *key*.
            now_s: Returns the time, seconds since the epoch.
            standings: Knows whom to refuse, and who is an administrator.
            local: What this server signs with; None: with *key*.
            key_set: The keys of an issuer that has several.
            expected: What tokens of others must say; our own need not.
            enabled: False makes every caller the owner.
        """
        self._key = key
        self._algorithm = algorithm
        self._now_s = now_s
        self._standings = standings
        self._local = local or LocalKey(secret=key, algorithm=algorithm)
        self._key_set = key_set
        self._expected = expected or Expected()
        self._enabled = enabled
        # Times are checked by our own clock, not by the library's.
        self._options: Options = {
            "require": ["sub", "exp"],
            "verify_exp": False,
            "verify_nbf": False,
            "verify_iat": False,
        }
        self._cache: BoundedCache[str, _Known] = BoundedCache(MAX_CACHED)

    async def admit(self, scope: Scope) -> Caller:
        """Return who sends the request *scope*, by what is known of accounts now; see `caller`."""
        if self._enabled and self._standings.is_stale():
            await self._standings.refresh()
        try:
            return self.caller(scope)
        except UnknownKey:
            await self._learn_keys()
            return self.caller(scope)

    async def admit_token(self, token: str) -> Caller:
        """Return whose *token* is, by what is known of accounts now; see `of_token`."""
        if self._standings.is_stale():
            await self._standings.refresh()
        try:
            return self.of_token(token)
        except UnknownKey:
            await self._learn_keys()
            return self.of_token(token)

    async def _learn_keys(self) -> None:
        if self._key_set is not None:
            await self._key_set.refresh()

    def caller(self, scope: Scope) -> Caller:
        """
        Return who sends the request *scope*.

        Raises:
            NotAuthenticated: If there is no token, or it is not good.
            HTTPException: 403, if somebody who is no administrator wants to act for another.
        """
        if not self._enabled:
            return OWNER
        authorization = act_as = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"x-act-as-user-id":
                act_as = value
        caller = self.of_token(_bearer(authorization))
        return _acting(caller, act_as.decode("latin-1").strip()) if act_as else caller

    def of_token(self, token: str) -> Caller:
        """Return whose *token* is; raises NotAuthenticated if it is not good."""
        known = self._cache.get(token)
        if known is not None and self._now_s() >= known.expires_s:
            self._cache.drop(token)
            known = None
        if known is None:
            known = _known_of(self._claims(token))
            self._cache.put(token, known)
        return self._standing(known)

    def _standing(self, known: "_Known") -> Caller:
        """Return the caller of a good token, unless the account or the session was ended."""
        caller, standings = known.caller, self._standings
        if standings.is_disabled(caller.user_id):
            raise NotAuthenticated("This account is disabled")
        session_id = caller.session_id
        if session_id is not None and standings.is_ended(session_id):
            raise NotAuthenticated("This session has ended; sign in again")
        return known.as_admin if standings.role(caller.user_id).is_admin else caller

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_LENGTH:
            raise NotAuthenticated("Invalid token: it is too long")
        try:
            header = jwt.get_unverified_header(token)
            claims, is_local = self._verified(token, header)
        except jwt.MissingRequiredClaimError as exc:
            if exc.claim == "sub":
                raise NotAuthenticated("User ID not found in token") from exc
            raise NotAuthenticated(f"Invalid token: {exc}") from exc
        except (jwt.InvalidTokenError, ValueError, OverflowError, RecursionError) as exc:
            raise NotAuthenticated(f"Invalid token: {exc}") from exc
        if not is_local:
            claims.pop(SESSION_CLAIM, None)  # a session of somebody else's
        _check_times(claims, self._now_s())
        return claims

    def _verified(self, token: str, header: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Return the claims, and whether the token is our own."""
        algorithm = str(header.get("alg"))
        if algorithm == self._local.algorithm:
            try:
                return self._decoded(token, self._local.secret, algorithm, _OWN), True
            except jwt.InvalidTokenError:
                if self._local.secret != self._key:
                    raise
        if self._key_set is not None and algorithm in ALGORITHMS.values():
            key = self._key_set.key(str(header.get("kid")), algorithm)
            if key is None or self._key_set.is_due():
                raise UnknownKey("Invalid token: its key is not known")
            return self._decoded(token, key.key, algorithm, self._expected), False
        return self._decoded(token, self._key, self._algorithm, self._expected), False

    def _decoded(self, token: str, key: Any, algorithm: str, expected: Expected) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=expected.audience,
            issuer=expected.issuer or None,
            options=self._options,
        )
        return claims


#: What tokens of this server say.
_OWN: Final = Expected(issuer=LOCAL_ISSUER)


def _check_times(claims: Mapping[str, Any], now_s: float) -> None:
    """Refuse tokens that are over, or from the future. The library would ask its own clock."""
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name)
        if value is None:
            continue
        if not _is_moment(value):
            raise NotAuthenticated(f"Invalid token: {name} is not a number")
        if name == "exp" and value <= now_s:
            raise NotAuthenticated("Token has expired")
        if name != "exp" and value > now_s + CLOCK_SKEW_S:
            raise NotAuthenticated(f"Invalid token: The token is not yet valid ({name})")


def _is_moment(value: Any) -> bool:
    # An integer may be too long for a float, and so for every comparison with one.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _END_OF_TIME_S if isinstance(value, int) else isfinite(value)


def _bearer(authorization: bytes) -> str:
    scheme, _, token = authorization.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("Authorization header is missing")
    return token.strip()


def _known_of(claims: dict[str, Any]) -> _Known:
    caller = _caller_of(claims)
    return _Known(caller, replace(caller, is_admin=True), float(claims.get("exp") or "inf"))


def _caller_of(claims: dict[str, Any]) -> Caller:
    user_id = claims["sub"]
    if not isinstance(user_id, str) or not user_id.strip():
        raise NotAuthenticated("User ID not found in token")
    if len(user_id) > _MAX_ID_LENGTH or not user_id.isprintable():
        raise NotAuthenticated("Invalid token: its user id cannot be used")
    metadata = claims.get("user_metadata")
    session_id = _text(claims.get(SESSION_CLAIM))
    return Caller(
        user_id=UserId(user_id),
        token_user_id=UserId(user_id),
        email=_text(claims.get("email")),
        name=_text(metadata.get("name")) if isinstance(metadata, dict) else None,
        # A session outlives a change of role: then what is kept counts, not what its token says.
        is_admin=session_id is None and claims.get("role") == ADMIN_ROLE,
        by=By.SESSION if session_id else By.TOKEN,
        by_id=session_id or "",
    )


def _text(value: Any) -> str | None:
    if not isinstance(value, str) or not value.isprintable() or len(value) > 1_000:  # noqa: PLR2004
        return None
    return value.strip() or None


def _acting(caller: Caller, user_id: str) -> Caller:
    if not user_id or user_id == caller.user_id:
        return caller
    if not caller.is_admin:
        raise HTTPException(403, "Admin access required to act for another user")
    if len(user_id) > _MAX_ID_LENGTH or not user_id.isprintable():
        raise HTTPException(400, "X-Act-As-User-Id is not a user id")
    log.info("acting_for_user", admin=caller.token_user_id, user=user_id)
    return replace(caller, user_id=UserId(user_id))
