"""To whom a notice goes, whether it waits, or why nobody gets it (pure)."""

from dataclasses import dataclass
from typing import Final

from backend.core.notices import STRATEGIES, Strategy
from backend.core.preferences import DAY_US, Preferences, day_of

#: The address of an account that has none.
NOBODY: Final = "@users.invalid"


@dataclass(frozen=True, kw_only=True, slots=True)
class Goes:
    """It goes to this address. *counts*: as one of the letters of its owner's day."""

    to: str
    counts: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Waits:
    """It goes later."""

    until_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Dropped:
    """Nobody gets it."""

    because: str


Verdict = Goes | Waits | Dropped


def verdict_on(
    kind: str, user: Preferences | None, *, operator: str, limited: bool, now_us: int
) -> Verdict:
    """
    Return what is to become of notices of *kind* that are due.

    Args:
        user: None: there is no such account.
        operator: The address for what concerns whoever runs this; empty: none.
        limited: Whether people's daily limits hold.
    """
    if STRATEGIES.get(kind) is Strategy.ADMIN:
        if not operator:
            return Dropped(because="REFUND_NOTIFICATION_EMAIL is not set")
        return Goes(to=operator, counts=False)
    if user is None:
        return Dropped(because="there is no such account")
    if not user.email or user.email.endswith(NOBODY):
        return Dropped(because="the account has no mail address")
    if not user.wants(kind):
        return Dropped(because="the account does not want such notices")
    if user.is_refused:
        return Dropped(because=f"the address refuses letters: {user.bounce}"[:500])
    if limited and not user.has_room:
        # They go together with those of tomorrow.
        return Waits(until_us=(day_of(now_us) + 1) * DAY_US)
    return Goes(to=user.email, counts=True)
