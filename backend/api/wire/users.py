"""Accounts on the wire."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from backend.api.wire.times import iso
from backend.core.preferences import Preferences
from backend.core.records import UserRecord
from backend.services.timezones import is_timezone, known_timezones

#: Notices of which an account says whether it wants them (spec/contract.md 2.3).
_NOTICES = (
    "agent_run",
    "zero_balance",
    "low_balance",
    "block_execution_failed",
    "continuous_agent_error",
    "daily_summary",
    "weekly_summary",
    "monthly_summary",
)


def _known(value: str) -> str:
    if not is_timezone(value):
        raise ValueError("is not an IANA time zone such as Europe/Berlin or UTC")
    return value


class UpdateTimezoneRequest(BaseModel):
    """The time zone that an account is to have."""

    timezone: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_known)]


def timezone_schema() -> dict[str, Any]:
    """Return the JSON schema of a time zone's name, with all names."""
    return {"type": "string", "enum": list(known_timezones()), "minLength": 1}


def user(record: UserRecord, wanted: Preferences) -> dict[str, Any]:
    """
    Return an account. What the reference keeps beside it is empty here.

    An address is verified until it has refused so many letters that it gets no more; then
    ``email_bounce`` is what its server said.
    """
    return {
        "id": record.id,
        "email": record.email,
        "email_verified": not wanted.is_refused,
        "email_bounce": wanted.bounce if wanted.is_refused else None,
        "name": record.name,
        "created_at": iso(record.created_us),
        "updated_at": iso(record.updated_us),
        "metadata": {},
        "integrations": "",
        "stripe_customer_id": None,
        "top_up_config": None,
        "max_emails_per_day": wanted.daily_limit,
        **{f"notify_on_{name}": record.preferences.get(name.upper(), True) for name in _NOTICES},
        "timezone": record.timezone,
    }
