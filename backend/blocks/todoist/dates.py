"""Days and moments as Todoist wants them."""

from datetime import UTC, datetime, time

from backend.sdk import Json


def due_of(text: str | None) -> dict[str, Json]:
    """
    Return when something is due: a day, or a moment where a time of day is given.

    Raises:
        ValueError: If *text* is neither.
    """
    if not text:
        return {}
    moment = _read("due_date", text)
    if moment.time() == time.min:  # builders write midnight for a day
        return {"due_date": moment.date().isoformat()}
    if moment.tzinfo is None:  # the account's own zone
        return {"due_datetime": moment.isoformat(timespec="seconds")}
    at = moment.astimezone(UTC).replace(tzinfo=None)
    return {"due_datetime": f"{at.isoformat(timespec='seconds')}Z"}


def deadline_of(text: str | None) -> str | None:
    """Return a day; None if nothing is given. Raises ValueError."""
    return _read("deadline_date", text).date().isoformat() if text else None


def _read(name: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            f"{name}: {text[:50]!r} is no day, like 2030-01-31, and no moment"
        ) from None
