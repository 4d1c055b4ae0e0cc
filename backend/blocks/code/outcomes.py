"""What blocks that run code give: results by format, what was printed, and the shapes of their pins."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from backend.sdk import CodeOutcome, Json, pin, pins


class ProgrammingLanguage(StrEnum):
    """What the code is written in."""

    PYTHON = "python"
    JAVASCRIPT = "js"
    BASH = "bash"
    R = "r"
    JAVA = "java"


_TEXTS: Final = ("text", "html", "markdown", "svg", "png", "jpeg", "pdf", "latex")


def _nullable(kind: Mapping[str, Json], name: str = "") -> dict[str, Json]:
    options: dict[str, Json] = {"anyOf": [dict(kind), {"type": "null"}], "default": None}
    return {**options, "title": name.title()} if name else options


_OBJECT: Final[dict[str, Json]] = {"additionalProperties": True, "type": "object"}
_CHART: Final[dict[str, Json]] = {
    "properties": {
        "type": {
            "enum": ["line", "scatter", "bar", "pie", "box_and_whisker", "superchart", "unknown"],
            "title": "ChartType",
            "type": "string",
        },
        "title": {"title": "Title", "type": "string"},
        "elements": {"items": {}, "title": "Elements", "type": "array"},
    },
    "required": ["type", "title", "elements"],
    "title": "Chart",
    "type": "object",
}
_FORMATS: Final[dict[str, Json]] = {
    **{name: _nullable({"type": "string"}, name) for name in _TEXTS},
    "json": _nullable({}),
    "javascript": _nullable({"type": "string"}, "javascript"),
    "data": _nullable(_OBJECT, "data"),
    "chart": _nullable(_CHART),
    "extra": _nullable(_OBJECT, "extra"),
}

#: The schema of the pin of one result.
MAIN_RESULT: Final[dict[str, Json]] = {
    "properties": _FORMATS,
    "title": "Main Result",
    "type": "object",
}
#: The schema of the pin of all of them.
RESULTS: Final[dict[str, Json]] = {
    "items": {
        "properties": {
            **_FORMATS,
            "is_main_result": {"default": False, "title": "Is Main Result", "type": "boolean"},
        },
        "title": "CodeExecutionResult",
        "type": "object",
    },
    "type": "array",
}


@pins
class CodeOutput:
    """Output pins of what runs code."""

    main_result: dict[str, Any] = pin(
        schema=MAIN_RESULT, description="The value of the last line, by format."
    )
    results: list[dict[str, Any]] = pin(schema=RESULTS, description="All values shown.")
    response: str = pin(title="Main Text Output", description="The main value as text.")
    stdout_logs: str = pin(description="What was printed.")
    stderr_logs: str = pin(description="What was printed to standard error.")


def given(outcome: CodeOutcome) -> Iterator[tuple[str, Any]]:
    """
    Yield what code came to, by pin; what there is nothing of is left out.

    Raises:
        ValueError: If the code failed, with what it said.
    """
    if outcome.error is not None:
        raise ValueError(outcome.error)
    results = [_result(each) for each in outcome.results]
    main = next((each for each in results if each.get("is_main_result")), None)
    if main is None and len(results) == 1:
        main = results[0]
    if main is not None:
        yield "main_result", {name: value for name, value in main.items() if name in _FORMATS}
    yield "results", results
    if main is not None and main.get("text"):
        yield "response", main["text"]
    yield from printed(outcome)


def printed(outcome: CodeOutcome) -> Iterator[tuple[str, str]]:
    """Yield what was printed, by pin."""
    if outcome.stdout:
        yield "stdout_logs", outcome.stdout
    if outcome.stderr:
        yield "stderr_logs", outcome.stderr


def text_of(results: Sequence[Mapping[str, Json]]) -> str:
    """Return the text of the main result; empty if there is none."""
    return next((str(each["text"]) for each in results if each.get("text")), "")


def _result(formats: Mapping[str, Json]) -> dict[str, Json]:
    """Return one result with the formats that have the shape they should have."""
    # Our own sandboxes have one result, and do not say that it is the main one.
    result: dict[str, Json] = {"is_main_result": formats.get("is_main_result", True) is True}
    for name, value in formats.items():
        is_text = name in _TEXTS or name == "javascript"
        fits = isinstance(value, str) if is_text else isinstance(value, dict) or name == "json"
        if name in _FORMATS and value is not None and fits:
            result[name] = value
    return result
