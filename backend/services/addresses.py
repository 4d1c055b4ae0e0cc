"""New mail addresses of accounts: they count when a letter that went there has been answered."""

from dataclasses import dataclass
from typing import Final

import structlog

from backend.core.accounts import AccountRecord, normal_email
from backend.core.errors import BadRequest, NotFound
from backend.core.ids import UserId
from backend.core.preferences import is_address
from backend.ports.accounts import Accounts
from backend.ports.clock import Clock
from backend.ports.mail import Letter, Mailer
from backend.services.local_tokens import hash_of, new_token
from backend.services.rates import RateLimit

log = structlog.get_logger(__name__)

ADDRESS_PREFIX: Final = "agpt_ea_"
CONFIRM_S: Final = 24 * 3600
#: Letters, and the seconds after which as many may be asked for again.
_PER_ACCOUNT: Final = (5, 3600.0)
_PER_ADDRESS: Final = (3, 3600.0)
#: The address of an account that has none.
_NOBODY: Final = "@users.invalid"


_TAKEN: Final = (
    "Somebody, perhaps you, wants this to be the address of another account.\n\n"
    "You have an account with it already, so that cannot be: sign in with this address, or give\n"
    "that account another one first.\n\n"
    "If it was not you, nothing has to be done.\n"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AddressChange:
    """What became of a wish for another address; *email* counts now if *is_confirmed*."""

    email: str
    is_confirmed: bool


class AddressService:
    """See the module. Until then notices and the sign-in stay with the address there is."""

    def __init__(self, *, accounts: Accounts, mailer: Mailer, clock: Clock, page: str) -> None:
        """Take what is needed; *page* is the address at which a token is given back."""
        self._accounts = accounts
        self._mailer = mailer
        self._clock = clock
        self._page = page
        self._by_account = _limit("letters to new addresses of this account", _PER_ACCOUNT, clock)
        self._by_address = _limit("letters to this address", _PER_ADDRESS, clock)

    async def ask(self, user_id: UserId, email: str) -> AddressChange:
        """
        Send a letter to *email* that makes it the address of this account, and tell the one before.

        An earlier wish of this account is void. The address that there is needs no letter. Who has
        an account with that address is told in the letter, and only they: all else is the same.

        Raises:
            NotFound: If there is no such account.
            BadRequest: If it cannot be an address, or mail to it is refused.
            TooManyRequests: If too many letters were asked for.
            Unavailable: If the letters cannot be sent now.
        """
        account = await self._accounts.of(user_id).get()
        if account is None:
            raise NotFound(f"User #{user_id} not found")
        if not is_address(email):
            raise BadRequest("this is no mail address")
        wanted = normal_email(email) if account.has_login else email
        if wanted.lower() == account.email.lower():
            return AddressChange(email=account.email, is_confirmed=True)
        holder = await self._accounts.find(wanted)
        is_taken = holder is not None and holder.id != user_id
        self._by_account.take(user_id)
        self._by_address.take(wanted.lower())
        await self._send(account, wanted, is_taken=is_taken)
        return AddressChange(email=wanted, is_confirmed=False)

    async def confirm(self, token: str) -> AccountRecord:
        """
        Make the address to which the letter with this token went the account's.

        Returns:
            The account as it is now.

        Raises:
            BadRequest: If the token is not good.
            Conflict: If the address has become somebody else's.
        """
        account = await self._accounts.take_address(hash_of(token), now_us=self._clock.now_us())
        if account is None:
            raise BadRequest("This token is not good; ask for the new address again")
        log.info("address_changed", user=account.id)
        return account

    async def _send(self, account: AccountRecord, email: str, *, is_taken: bool) -> None:
        token, now_us = new_token(ADDRESS_PREFIX), self._clock.now_us()
        key = hash_of(token)
        await self._accounts.of(account.id).add_address(
            key, email, expires_us=now_us + CONFIRM_S * 1_000_000
        )
        if not account.email.endswith(_NOBODY):
            await self._warn(account.email, key)
        url = f"{self._page}?token={token}"
        text = (
            _TAKEN
            if is_taken
            else (
                "Somebody, perhaps you, wants this to be the address of an account.\n\n"
                f"If it was you, follow this link within {CONFIRM_S // 3600} hours:\n\n{url}\n\n"
                "If it was not you, nothing has to be done.\n"
            )
        )
        await self._mailer.send(self._letter(key, email, "Is this your address?", text))
        log.info("address_letter_sent", user=account.id)

    async def _warn(self, email: str, key: str) -> None:
        text = (
            "Somebody, perhaps you, wants another mail address for your account. It stays as it\n"
            "is until a letter to the new address has been answered.\n\n"
            "If it was not you, somebody else is signed in as you: change your password, which\n"
            "ends their sessions and makes the wish void.\n"
        )
        try:
            await self._mailer.send(
                self._letter(f"{key[:31]}o", email, "A new address for your account", text)
            )
        except BadRequest as exc:
            # A mailbox that is gone for ever is why people change their address.
            log.warning("old_address_not_told", error=str(exc))

    def _letter(self, key: str, to: str, subject: str, text: str) -> Letter:
        return Letter(
            key=key[:32],
            to=to,
            subject=subject,
            text=text,
            html=f"<pre>{text}</pre>",
            sent_us=self._clock.now_us(),
        )


def _limit(what: str, rate: tuple[int, float], clock: Clock) -> RateLimit:
    tokens, refill_s = rate
    return RateLimit(what, tokens=tokens, refill_s=refill_s, monotonic_s=clock.monotonic_s)
