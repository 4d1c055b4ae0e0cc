"""Who is who at a provider of identities (OpenID Connect), and sign-ins there that are on their way."""

from dataclasses import dataclass, field
from typing import Protocol

from backend.core.accounts import AccountRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class OnTheWay:
    """
    A sign-in at the provider.

    Attributes:
        state_hash: Of what the provider sends back; it is good once.
        browser_hash: Of what only the browser has that began it.
        nonce: What the provider must sign.
        verifier: What only this server can show with the code (PKCE).
    """

    state_hash: str
    browser_hash: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    expires_us: int


class Identities(Protocol):
    """What is kept for signing in at a provider."""

    async def begin(self, login: OnTheWay, *, most: int, now_us: int) -> None:
        """Keep a sign-in; forget those that are over, and the oldest when there are *most*."""

    async def take(self, state_hash: str, *, now_us: int) -> OnTheWay | None:
        """Return a sign-in and forget it; None if there is none, or it is over."""

    async def known(self, issuer: str, subject: str) -> AccountRecord | None:
        """Return the account of somebody at *issuer*."""

    async def add(self, issuer: str, subject: str, account: AccountRecord) -> AccountRecord:
        """
        Save the new account of somebody at *issuer*; return the one there is if another was faster.

        An address that is somebody's already is not taken over: the account gets one that is
        nobody's.
        """
