"""The inputs of a run that hold a date, a time of the day, or a table."""

from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

from backend.blocks.flow.agent_input import AgentInputBlock
from backend.sdk import BlockContext, Example, pin, pins

_TITLE = "Default Value"
_USED = "Used when the run gives no value."


def _text_in(format_name: str) -> dict[str, Any]:
    return {"anyOf": [{"type": "string", "format": format_name}, {"type": "null"}]}


class AgentDateInputBlock(AgentInputBlock):
    """Takes a date into the graph, written as year, month and day."""

    id = "7e198b09-4994-47db-8b4d-952d98241817"
    examples = (
        Example(inputs={"name": "due", "value": "2026-01-31"}, outputs=[("result", "2026-01-31")]),
        Example(inputs={"name": "due"}, outputs=[]),
        Example(inputs={"name": "due", "value": "31.1.2026"}, error="is no date"),
    )

    @pins
    class Input(AgentInputBlock.Input):
        """Input pins."""

        value: str | None = pin(
            default=None, title=_TITLE, advanced=False, description=_USED, schema=_text_in("date")
        )

    @pins
    class Output(AgentInputBlock.Output):
        """Output pins."""

        result: str = pin(description="The date, as YYYY-MM-DD.", format="date")

    def run(
        self, inputs: AgentInputBlock.Input, _context: BlockContext
    ) -> Iterator[tuple[str, str]]:
        """Yield the date if there is one."""
        if inputs.value:
            yield "result", _date(inputs.value).isoformat()


def _date(text: str) -> date:
    try:
        return datetime.fromisoformat(text.strip()).date()
    except ValueError as exc:
        raise ValueError(f"{text[:40]!r} is no date: write it as YYYY-MM-DD") from exc


class AgentTimeInputBlock(AgentInputBlock):
    """Takes a time of the day into the graph."""

    id = "2a1c757e-86cf-4c7e-aacf-060dc382e434"
    examples = (
        Example(inputs={"name": "at", "value": "07:30"}, outputs=[("result", "07:30:00")]),
        Example(inputs={"name": "at", "value": "19:07:08"}, outputs=[("result", "19:07:08")]),
        Example(inputs={"name": "at", "value": "half past"}, error="is no time"),
    )

    @pins
    class Input(AgentInputBlock.Input):
        """Input pins."""

        value: str | None = pin(
            default=None, title=_TITLE, advanced=False, description=_USED, schema=_text_in("time")
        )

    @pins
    class Output(AgentInputBlock.Output):
        """Output pins."""

        result: str = pin(description="The time, as HH:MM:SS.", format="time")

    def run(
        self, inputs: AgentInputBlock.Input, _context: BlockContext
    ) -> Iterator[tuple[str, str]]:
        """Yield the time if there is one."""
        if inputs.value:
            yield "result", _time(inputs.value).isoformat()


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text.strip())
    except ValueError as exc:
        raise ValueError(f"{text[:40]!r} is no time: write it as HH:MM:SS") from exc


class AgentTableInputBlock(AgentInputBlock):
    """Takes a table into the graph: a list of rows, each with its values by column."""

    id = "5603b273-f41e-4020-af7d-fbc9c6a8d928"
    examples = (
        Example(
            inputs={"name": "prices", "value": [{"tea": 2}], "column_headers": ["tea"]},
            outputs=[("result", [{"tea": 2}])],
        ),
        Example(inputs={"name": "prices"}, outputs=[("result", [])]),
        Example(
            inputs={"name": "prices", "value": '[{"tea": 2}]'}, outputs=[("result", [{"tea": 2}])]
        ),
    )

    @pins
    class Input(AgentInputBlock.Input):
        """Input pins."""

        value: list[dict[str, Any]] | None = pin(
            default=None, title=_TITLE, advanced=False, description=_USED
        )
        column_headers: list[str] = pin(
            default_factory=lambda: ["Column 1", "Column 2", "Column 3"],
            advanced=False,
            description="The columns that the form shows.",
        )

    @pins
    class Output(AgentInputBlock.Output):
        """Output pins."""

        result: list[dict[str, Any]] = pin(description="The rows.")

    def run(
        self, inputs: AgentInputBlock.Input, _context: BlockContext
    ) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Yield the rows; none if no table is given."""
        yield "result", [] if inputs.value is None else inputs.value
