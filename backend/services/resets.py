"""Forgotten passwords: a letter with a token, which is good once and not for long."""

from typing import Final

import structlog

from backend.core.accounts import check_password
from backend.core.errors import AgentServerError, BadRequest
from backend.ports.accounts import Accounts
from backend.ports.clock import Clock
from backend.ports.mail import Letter, Mailer
from backend.services.accounts import AccountService
from backend.services.local_tokens import hash_of, new_token
from backend.services.rates import RateLimit, address_key

log = structlog.get_logger(__name__)

RESET_PREFIX: Final = "agpt_pr_"
RESET_S: Final = 1800
#: Letters, and the seconds after which as many may be asked for again.
_PER_ACCOUNT: Final = (3, 3600.0)
_PER_ADDRESS: Final = (10, 3600.0)


class ResetService:
    """See the module. What is answered says nothing of whether there is such an account."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        service: AccountService,
        mailer: Mailer,
        clock: Clock,
        page: str,
    ) -> None:
        """Take what is needed; *page* is the address at which a new password is given."""
        self._accounts = accounts
        self._service = service
        self._mailer = mailer
        self._clock = clock
        self._page = page
        self._by_account = _limit("letters for this account", _PER_ACCOUNT, clock)
        self._by_address = _limit("letters asked for from this address", _PER_ADDRESS, clock)

    def count(self, email: str, address: str) -> None:
        """Count a request for a letter, whether there is such an account or not."""
        self._by_address.take(address_key(address))
        self._by_account.take(email.strip().lower())

    async def send(self, email: str) -> None:
        """Send the letter, if there is such an account; to be done after the answer has left."""
        try:
            await self._send(email.strip().lower())
        except AgentServerError as exc:
            log.warning("reset_letter_not_sent", error=str(exc))

    async def _send(self, email: str) -> None:
        account = await self._accounts.by_login(email)
        if account is None or account.is_disabled:
            return
        token, now_us = new_token(RESET_PREFIX), self._clock.now_us()
        token_hash = hash_of(token)
        stored = self._accounts.of(account.id)
        await stored.add_reset(token_hash, expires_us=now_us + RESET_S * 1_000_000)
        text = (
            "Somebody, perhaps you, wants to set a new password for your account.\n\n"
            f"Your token, good once and for {RESET_S // 60} minutes:\n\n{token}\n\n"
            f"Give it with the new password to {self._page}.\n\n"
            "If it was not you, nothing has to be done.\n"
        )
        await self._mailer.send(
            Letter(
                key=token_hash[:32],
                to=account.email,
                subject="A new password for your account",
                text=text,
                html=f"<pre>{text}</pre>",
                sent_us=now_us,
            )
        )
        log.info("reset_letter_sent", user=account.id)

    async def finish(self, token: str, password: str) -> None:
        """
        Set a new password with the token of a letter; all sessions end.

        Raises:
            BadRequest: If the token is not good, or the password cannot be used.
        """
        # Before the token is used up: a password that is too short may be mended.
        check_password(password, email="")
        user_id = await self._accounts.take_reset(hash_of(token), now_us=self._clock.now_us())
        account = None if user_id is None else await self._accounts.of(user_id).get()
        if account is None or account.is_disabled:
            raise BadRequest("This reset token is not good; ask for another one")
        await self._service.set_password(account.id, password)


def _limit(what: str, rate: tuple[int, float], clock: Clock) -> RateLimit:
    tokens, refill_s = rate
    return RateLimit(what, tokens=tokens, refill_s=refill_s, monotonic_s=clock.monotonic_s)
