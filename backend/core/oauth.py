"""Apps of others that users let in by OAuth 2: what is kept, and how a proof is checked (contract 16)."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode, urlsplit

from backend.core.api_keys import KeySecret
from backend.core.errors import BadRequest
from backend.core.ids import OAuthAppId, UserId
from backend.core.permissions import Permission

CLIENT_PREFIX: Final = "agpt_client_"
ACCESS_PREFIX: Final = "agpt_xt_"
REFRESH_PREFIX: Final = "agpt_rt_"
GRANTS: Final = ("authorization_code", "refresh_token")

#: A challenge is the SHA-256 of a verifier, as 43 characters (RFC 7636).
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
#: Schemes that make a browser run or show what somebody else wrote, instead of going to an app.
_NO_APPS: Final = frozenset({"javascript", "data", "vbscript", "file", "blob", "about"})
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_MAX_URI: Final = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class OAuthApp:
    """
    An app that users may let in.

    Attributes:
        user_id: Whose it is, who may switch it off.
        logo: What tells one picture from the next; None: it has none.
    """

    id: OAuthAppId
    user_id: UserId
    client_id: str
    secret: KeySecret
    name: str
    description: str | None = None
    redirect_uris: tuple[str, ...]
    scopes: tuple[Permission, ...]
    is_active: bool = True
    logo: str | None = None
    created_us: int
    updated_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Logo:
    """A picture: its media type and its bytes."""

    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthorizationCode:
    """
    A user's leave for an app, which the app trades for tokens, once.

    Attributes:
        family: Of the tokens that come of it.
    """

    hash: str
    app_id: OAuthAppId
    user_id: UserId
    family: str
    redirect_uri: str
    scopes: tuple[Permission, ...]
    challenge: str
    expires_us: int
    used_us: int | None = None


class TokenKind(StrEnum):
    """What a token is for."""

    ACCESS = "access_token"
    REFRESH = "refresh_token"


@dataclass(frozen=True, kw_only=True, slots=True)
class OAuthToken:
    """A token, as saved. All that came of one leave are one family."""

    hash: str
    kind: TokenKind
    app_id: OAuthAppId
    user_id: UserId
    family: str
    scopes: tuple[Permission, ...]
    created_us: int
    expires_us: int
    revoked_us: int | None = None

    def is_good(self, now_us: int) -> bool:
        """Say whether it may be used now, if its app may."""
        return self.revoked_us is None and now_us < self.expires_us


def hash_of(text: str) -> str:
    """Return what is kept of a code or token; it is 256 random bits, so one fast hash will do."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_challenge(text: str) -> bool:
    """Say whether *text* can be the S256 challenge of a verifier."""
    return _CHALLENGE.fullmatch(text) is not None


def proves(verifier: str, challenge: str) -> bool:
    """Say whether *verifier* is the one of which *challenge* was made (S256)."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(made, challenge)


def check_redirect_uri(uri: str) -> None:
    """
    Refuse what no app can be reached by, or by which somebody else could be.

    Raises:
        BadRequest: If *uri* is no address of an app; http is for this machine only.
    """
    if len(uri) > _MAX_URI or not uri.isascii() or not uri.isprintable() or " " in uri:
        raise BadRequest(f"{uri[:100]!r} is no redirect URI: it is too long, or not plain ASCII.")
    parts = urlsplit(uri)
    if not parts.scheme or parts.scheme.lower() in _NO_APPS or parts.fragment or "*" in uri:
        raise BadRequest(f"{uri[:100]!r} is no redirect URI: write all of it, without a fragment.")
    if parts.scheme.lower() in ("http", "https") and not parts.hostname:
        raise BadRequest(f"{uri[:100]!r} is no redirect URI: it names no host.")
    if parts.scheme.lower() == "http" and parts.hostname not in _LOCAL:
        raise BadRequest(f"{uri[:100]!r} is no redirect URI: use https, or http on localhost.")


def with_query(uri: str, added: dict[str, str]) -> str:
    """Return *uri*, which has no fragment, with more in its query; the rest of it stays as it is."""
    return uri + ("&" if "?" in uri else "?") + urlencode(added)
