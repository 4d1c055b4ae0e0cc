"""What people want to be told, on the wire (spec/contract.md 8.2)."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from backend.api.wire.times import iso
from backend.core.preferences import (
    DAY_US,
    KINDS,
    MAX_DAILY_LIMIT,
    PreferenceChanges,
    Preferences,
    day_of,
    is_address,
)

NotificationType = Literal[
    "AGENT_RUN",
    "ZERO_BALANCE",
    "LOW_BALANCE",
    "BLOCK_EXECUTION_FAILED",
    "CONTINUOUS_AGENT_ERROR",
    "DAILY_SUMMARY",
    "WEEKLY_SUMMARY",
    "MONTHLY_SUMMARY",
    "REFUND_REQUEST",
    "REFUND_PROCESSED",
    "AGENT_APPROVED",
    "AGENT_REJECTED",
]


def _address(value: str) -> str:
    # An empty one leaves the address that there is (spec/contract.md 5).
    if value and not is_address(value):
        raise ValueError("is not a mail address")
    return value


Address = Annotated[str, AfterValidator(_address)]


class NotificationPreferenceDTO(BaseModel):
    """What an account is to want; kinds that are not named stay as they are."""

    email: Address = Field(json_schema_extra={"format": "email"})
    preferences: dict[NotificationType, bool]
    daily_limit: Annotated[int, Field(ge=0, le=MAX_DAILY_LIMIT)]

    def changes(self) -> PreferenceChanges:
        """Return it as a service takes it."""
        return PreferenceChanges(
            # Refunds are told to whoever runs this; no account decides about them.
            said={kind: wanted for kind, wanted in self.preferences.items() if kind in KINDS},
            daily_limit=self.daily_limit,
        )


def preference_form(found: Preferences, *, now_us: int) -> dict[str, Any]:
    """Return what an account wants: ``NotificationPreference``."""
    return {
        "user_id": found.user_id,
        "email": found.email,
        "preferences": {kind: found.said.get(kind, True) for kind in KINDS},
        "daily_limit": found.daily_limit,
        "emails_sent_today": found.sent_today,
        "last_reset_date": iso(day_of(now_us) * DAY_US),
    }
