"""Times as others read them: ISO 8601, UTC, with a Z, with microseconds where there are any."""

from datetime import UTC, datetime


def iso(at_us: int) -> str:
    """Return microseconds since the epoch as ``2026-01-01T00:00:00.123456Z``."""
    seconds, micros = divmod(at_us, 1_000_000)
    text = datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
    return f"{text}.{micros:06d}Z" if micros else f"{text}Z"


def iso_or_none(at_us: int | None) -> str | None:
    """Return the time as text; None for none."""
    return None if at_us is None else iso(at_us)
