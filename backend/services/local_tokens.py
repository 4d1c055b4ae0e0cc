"""Tokens that this server makes itself: access tokens in the contract's form, and random ones."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

import jwt

from backend.core.ids import SessionId, UserId

#: Who says so, in tokens of our own.
LOCAL_ISSUER: Final = "agpt"
AUDIENCE: Final = "authenticated"
#: The claim that names the session of an access token.
SESSION_CLAIM: Final = "sid"
#: The roles of the contract.
ADMIN_ROLE: Final = "admin"
USER_ROLE: Final = "authenticated"
_RANDOM_BYTES: Final = 32


@dataclass(frozen=True, kw_only=True)
class LocalKey:
    """What tokens of this server are signed with."""

    secret: str = field(repr=False)
    algorithm: str

    @classmethod
    def of(cls, *, verify_key: str, algorithm: str, instance_key: str) -> "LocalKey":
        """
        Return the key of an installation: the one that checks all tokens, where it can sign too.

        A public key cannot; then it is derived from the secret that the services share.
        """
        if algorithm.startswith("HS"):
            return cls(secret=verify_key, algorithm=algorithm)
        derived = hmac.new(instance_key.encode(), b"agpt: tokens of this server", hashlib.sha256)
        return cls(secret=derived.hexdigest(), algorithm="HS256")


def sign(  # noqa: PLR0913 -- what a token says
    key: LocalKey,
    *,
    user_id: UserId,
    email: str,
    name: str | None,
    is_admin: bool,
    now_s: int,
    ttl_s: int,
    session_id: SessionId | None = None,
    more: dict[str, Any] | None = None,
) -> str:
    """Return an access token, valid for *ttl_s* seconds from now."""
    claims: dict[str, Any] = {
        "sub": user_id,
        "email": email,
        "role": ADMIN_ROLE if is_admin else USER_ROLE,
        "aud": AUDIENCE,
        "iss": LOCAL_ISSUER,
        "iat": now_s,
        "exp": now_s + ttl_s,
        **(more or {}),
    }
    if name:
        claims["user_metadata"] = {"name": name}
    if session_id is not None:
        claims[SESSION_CLAIM] = session_id
    return jwt.encode(claims, key.secret, algorithm=key.algorithm)


def new_token(prefix: str) -> str:
    """Return a fresh random token; its prefix says to people and to scanners what it is."""
    return f"{prefix}{secrets.token_urlsafe(_RANDOM_BYTES)}"


def hash_of(token: str) -> str:
    """Return what is kept of a random token. It has 256 bits: nothing slow is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
