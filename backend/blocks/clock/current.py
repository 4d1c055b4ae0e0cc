"""GetCurrentDate, GetCurrentTime, GetCurrentDateAndTime: what the clock says."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from backend.blocks.clock.formats import format_pin, is_iso, now_in, timespec
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins

_DATE: Final = "%Y-%m-%d"
_TIME: Final = "%H:%M:%S"
_BOTH: Final = f"{_DATE} {_TIME}"

_ANY_WORD: Final = "Any text; the block runs when it comes."


class GetCurrentDateBlock(Block):
    """Hands on today's date, or that of some days ago."""

    id = "b29c1b50-5d0e-4d9f-8f9d-1b0e6fcbf0b1"
    categories = (Category.TEXT,)
    effect = Effect.READ
    examples = (
        Example(inputs={"trigger": "go"}, outputs=[("date", "2026-01-31")]),
        Example(inputs={"trigger": "go", "offset": "7"}, outputs=[("date", "2026-01-24")]),
        Example(inputs={"trigger": "go", "offset": "some"}, outputs=[("date", "2026-01-31")]),
        Example(
            inputs={
                "trigger": "go",
                "offset": -1,
                "format_type": {"discriminator": "strftime", "format": "%d.%m.%y"},
            },
            outputs=[("date", "01.02.26")],
        ),
        Example(
            inputs={
                "trigger": "go",
                "format_type": {"discriminator": "iso8601", "timezone": "Pacific/Kiritimati"},
            },
            outputs=[("date", "2026-02-01")],
        ),
        Example(inputs={"trigger": "go", "offset": 9_999_999}, error="before the year 1"),
    )

    @pins
    class Input:
        """Input pins."""

        trigger: str = pin(description=_ANY_WORD)
        offset: int | str = pin(default=0, title="Days Offset", description="Days back.")
        format_type: dict[str, Any] = format_pin("Date", _DATE, microseconds=False)

    @pins
    class Output:
        """Output pins."""

        date: str = pin(description="The date.")

    def run(self, inputs: Input, context: BlockContext) -> Iterator[tuple[str, str]]:
        """Yield the date; an offset that is no number counts as none."""
        chosen = inputs.format_type
        try:
            day = now_in(chosen, context) - timedelta(days=_days(inputs.offset))
        except OverflowError as exc:
            raise ValueError("that date lies before the year 1 or after the year 9999") from exc
        pattern = chosen.get("format", _DATE)
        yield "date", day.date().isoformat() if is_iso(chosen) else day.strftime(pattern)


def _days(offset: int | str) -> int:
    try:
        return int(offset)
    except ValueError:
        return 0


class GetCurrentTimeBlock(Block):
    """Hands on the time of the day."""

    id = "a892b8d9-3e4e-4e9c-9c1e-75f8efcf1bfa"
    categories = (Category.TEXT,)
    effect = Effect.READ
    examples = (
        Example(inputs={"trigger": "go"}, outputs=[("time", "13:37:00")]),
        Example(
            inputs={
                "trigger": "go",
                "format_type": {"discriminator": "iso8601", "timezone": "Asia/Kolkata"},
            },
            outputs=[("time", "T19:07:00+05:30")],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        trigger: str = pin(description=_ANY_WORD)
        format_type: dict[str, Any] = format_pin("Time", _TIME, microseconds=True)

    @pins
    class Output:
        """Output pins."""

        time: str = pin(description="The time.")

    def run(self, inputs: Input, context: BlockContext) -> Iterator[tuple[str, str]]:
        """Yield the time."""
        chosen = inputs.format_type
        now = now_in(chosen, context)
        if is_iso(chosen):
            yield "time", f"T{now.isoformat(timespec=timespec(chosen)).partition('T')[2]}"
        else:
            yield "time", now.strftime(chosen.get("format", _TIME))


class GetCurrentDateAndTimeBlock(Block):
    """Hands on the date and the time of the day."""

    id = "716a67b3-6760-42e7-86dc-18645c6e00fc"
    categories = (Category.TEXT,)
    effect = Effect.READ
    examples = (
        Example(inputs={"trigger": "go"}, outputs=[("date_time", "2026-01-31 13:37:00")]),
        Example(
            inputs={
                "trigger": "go",
                "format_type": {"discriminator": "iso8601", "include_microseconds": True},
            },
            outputs=[("date_time", "2026-01-31T13:37:00.000000+00:00")],
        ),
        Example(
            inputs={
                "trigger": "go",
                "format_type": {"discriminator": "iso8601", "timezone": "Mars/Olympus"},
            },
            error="mismatch",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        trigger: str = pin(description=_ANY_WORD)
        format_type: dict[str, Any] = format_pin("", _BOTH, microseconds=True)

    @pins
    class Output:
        """Output pins."""

        date_time: str = pin(description="The date and time.")

    def run(self, inputs: Input, context: BlockContext) -> Iterator[tuple[str, str]]:
        """Yield the date and time."""
        chosen = inputs.format_type
        now = now_in(chosen, context)
        if is_iso(chosen):
            yield "date_time", now.isoformat(timespec=timespec(chosen))
        else:
            yield "date_time", now.strftime(chosen.get("format", _BOTH))
