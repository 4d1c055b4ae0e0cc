"""Who asks: bearer tokens (spec/contract.md 2.1) and acting for another user (2.2)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import isfinite
from typing import Any, Final

import jwt
import structlog
from fastapi import HTTPException
from jwt.types import Options
from starlette.types import Scope

from backend.core.ids import UserId
from backend.services.bounded import BoundedCache
from backend.services.users import OWNER, Caller

log = structlog.get_logger(__name__)

AUDIENCE: Final = "authenticated"
ADMIN_ROLE: Final = "admin"

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


class Authenticator:
    """Says who asks. Tokens are checked once and remembered until they expire."""

    def __init__(
        self,
        *,
        key: str,
        algorithm: str,
        now_s: Callable[[], float],
        enabled: bool = True,
        require_expiry: bool = True,
    ) -> None:
        """
        Take what tokens are checked with.

        Args:
            key: A shared secret, or a public key in PEM form, as *algorithm* needs it.
            algorithm: The only one that is accepted.
            now_s: Returns the time, seconds since the epoch.
            enabled: False makes every caller the owner.
            require_expiry: Refuse tokens without ``exp``.
        """
        self._key = key
        self._algorithm = algorithm
        self._now_s = now_s
        self._enabled = enabled
        # Times are checked by our own clock, not by the library's.
        self._options: Options = {
            "require": ["sub", "exp"] if require_expiry else ["sub"],
            "verify_exp": False,
            "verify_nbf": False,
            "verify_iat": False,
        }
        self._cache: BoundedCache[str, tuple[Caller, float]] = BoundedCache(MAX_CACHED)

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
        cached = self._cache.get(token)
        if cached is not None:
            caller, expires_s = cached
            if self._now_s() < expires_s:
                return caller
            self._cache.drop(token)
        claims = self._claims(token)
        caller = _caller_of(claims)
        self._cache.put(token, (caller, float(claims.get("exp") or "inf")))
        return caller

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_LENGTH:
            raise NotAuthenticated("Invalid token: it is too long")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[self._algorithm],
                audience=AUDIENCE,
                options=self._options,
            )
        except jwt.MissingRequiredClaimError as exc:
            if exc.claim == "sub":
                raise NotAuthenticated("User ID not found in token") from exc
            raise NotAuthenticated(f"Invalid token: {exc}") from exc
        except (jwt.InvalidTokenError, ValueError, OverflowError, RecursionError) as exc:
            raise NotAuthenticated(f"Invalid token: {exc}") from exc
        _check_times(claims, self._now_s())
        return claims


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


def _caller_of(claims: dict[str, Any]) -> Caller:
    user_id = claims["sub"]
    if not isinstance(user_id, str) or not user_id.strip():
        raise NotAuthenticated("User ID not found in token")
    if len(user_id) > _MAX_ID_LENGTH or not user_id.isprintable():
        raise NotAuthenticated("Invalid token: its user id cannot be used")
    metadata = claims.get("user_metadata")
    return Caller(
        user_id=UserId(user_id),
        token_user_id=UserId(user_id),
        email=_text(claims.get("email")),
        name=_text(metadata.get("name")) if isinstance(metadata, dict) else None,
        is_admin=claims.get("role") == ADMIN_ROLE,
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
