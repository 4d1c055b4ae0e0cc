"""The public keys of an issuer, from its JWKS address: kept, and asked for again at a bounded rate."""

import asyncio
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import jwt
import structlog

from backend.core.errors import AgentServerError, WebFailed
from backend.ports.web import WebClient, WebLimits

log = structlog.get_logger(__name__)

#: By kind of key, the one algorithm that it may be used with.
ALGORITHMS: Final = {"RSA": "RS256", "EC": "ES256"}
#: A key that its issuer has taken back is good for so long.
MAX_AGE_S: Final = 600.0
#: A token with an unknown key asks for the keys again, but not more often than this.
AGAIN_S: Final = 15.0
_MAX_KEYS: Final = 100
_LEAST_RSA_BITS: Final = 2048
_LIMITS: Final = WebLimits(timeout_s=10.0, max_bytes=1024 * 1024, max_redirects=0)


class KeySet:
    """The keys at one address that the operator trusts; see the module."""

    def __init__(self, web: WebClient, url: str, *, monotonic_s: Callable[[], float]) -> None:
        self._web = web
        self._url = url
        self._monotonic_s = monotonic_s
        self._lock = asyncio.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._asked_s: float | None = None
        self._read_s: float | None = None

    def key(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        """Return the key *kid*, if it is one for *algorithm*."""
        found = self._keys.get(kid)
        return found if found is not None and found.algorithm_name == algorithm else None

    def is_due(self) -> bool:
        """Say whether the keys are old, and were not asked for a moment ago."""
        now_s = self._monotonic_s()
        if self._read_s is not None and now_s - self._read_s < MAX_AGE_S:
            return False
        return self._asked_s is None or now_s - self._asked_s >= AGAIN_S

    async def refresh(self) -> None:
        """
        Ask for the keys, unless that was done a moment ago; many at once ask once.

        When the issuer does not answer, the keys that are known stay.
        """
        async with self._lock:
            now_s = self._monotonic_s()
            if self._asked_s is not None and now_s - self._asked_s < AGAIN_S:
                return
            self._asked_s = now_s
            try:
                self._keys = _keys_of(await self._fetched())
            except AgentServerError as exc:
                log.warning("jwks_not_read", error=str(exc))
                return
            self._read_s = now_s

    async def _fetched(self) -> Any:
        answer = await self._web.send(
            "GET", self._url, limits=_LIMITS, trusted_origins=[origin_of(self._url)]
        )
        if answer.status != 200:  # noqa: PLR2004 -- nothing else has the keys
            raise WebFailed(f"{origin_of(self._url)} answered {answer.status} for its keys")
        return answer.json()


def origin_of(url: str) -> str:
    """Return scheme, host and port of *url*."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _keys_of(document: Any) -> dict[str, jwt.PyJWK]:
    """Return the keys that may sign, by their ids; what cannot be read is left out."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise WebFailed("the answer is no set of keys")
    found: dict[str, jwt.PyJWK] = {}
    for one in listed[:_MAX_KEYS]:
        key = _key_of(one)
        if key is not None:
            found[one["kid"]] = key
    return found


def _key_of(one: Any) -> jwt.PyJWK | None:
    if not isinstance(one, dict) or not isinstance(one.get("kid"), str):
        return None
    algorithm = ALGORITHMS.get(str(one.get("kty")))
    if algorithm is None or one.get("use", "sig") != "sig":
        return None
    if one.get("alg", algorithm) != algorithm or (
        algorithm == "ES256" and one.get("crv") != "P-256"
    ):
        return None
    try:
        key = jwt.PyJWK.from_dict(one, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if algorithm == "RS256" and getattr(key.key, "key_size", 0) < _LEAST_RSA_BITS:
        return None
    return key
