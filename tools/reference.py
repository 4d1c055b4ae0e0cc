"""Write the pages of docs/reference that come from the code: settings and errors. `make reference`."""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from backend.api.errors import status_of
from backend.core import errors
from backend.core.errors import AgentServerError, BadSetting, CannotStart
from backend.settings import SECRETS, Settings

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
_WRITTEN_BY = "<!-- Written by `make reference` from {source}. Do not edit. -->"


def settings_page() -> str:
    """Give the page of all settings, in the order in which the code names them."""
    properties = Settings.model_json_schema()["properties"]
    rows = [
        f"| `{name.upper()}` | {_default_of(name, schema)} | {_allowed_by(name, schema)} | "
        f"{_cell(schema['description'])} |"
        for name, schema in properties.items()
    ]
    return _page(
        "Settings",
        "backend/settings.py",
        "A setting is read from, in this order: the command line, the environment, a `.env` file in the\n"
        "working directory, `config.json` in the data directory, the default. A value that cannot be used\n"
        "stops the start with a sentence that says so. No secret has a default: keys that are not set are\n"
        "made at the first start, in the folder `keys` of the data directory.",
        ("| name | default | allowed | meaning |", "|---|---|---|---|", *rows),
    )


def errors_page() -> str:
    """Give the page of all errors, in the order in which the code names them."""
    rows = [
        f"| `{error.__name__}` | {_kind_of(error)} | {_status_of(error)} | "
        f"{_cell(_first_line(error))} |"
        for error in _all_errors()
    ]
    return _page(
        "Errors",
        "backend/core/errors.py and backend/api/errors.py",
        "Every error that the server raises on purpose. The name is stable; the message says what, where\n"
        "and how to mend it. The status is that of an answer over HTTP.",
        ("| name | kind of | status | meaning |", "|---|---|---|---|", *rows),
    )


#: What each page holds, by file name.
PAGES: Mapping[str, Callable[[], str]] = {"settings.md": settings_page, "errors.md": errors_page}


def main() -> int:
    """Write all pages."""
    for name, render in PAGES.items():
        (FOLDER / name).write_text(render(), encoding="utf-8")
    return 0


def _page(title: str, source: str, opening: str, rows: tuple[str, ...]) -> str:
    return "\n".join(
        (f"# {title}", "", _WRITTEN_BY.format(source=source), "", opening, "", *rows, "")
    )


def _default_of(name: str, schema: Mapping[str, Any]) -> str:
    if name in SECRETS:
        return "none"
    if "default" not in schema:
        return "the user data folder" if schema.get("format") == "path" else "empty"
    value = schema["default"]
    if isinstance(value, list):
        return ", ".join(f"`{one}`" for one in value) or "empty"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`" if text else "empty"


def _allowed_by(name: str, schema: Mapping[str, Any]) -> str:
    if name in SECRETS:
        return "text, kept secret"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    if low is not None:
        more = "more than " if "exclusiveMinimum" in schema else ""
        high = f" to {_number(schema['maximum'])}" if "maximum" in schema else ""
        return f"{more}{_number(low)}{high}" if high or more else f"at least {_number(low)}"
    kinds = {
        "array": "a JSON array, or texts separated by commas",
        "object": "a JSON object",
        "boolean": "`true`, `false`",
    }
    return "a folder" if schema.get("format") == "path" else kinds.get(schema["type"], "text")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else str(value)


def _all_errors() -> Iterator[type[AgentServerError]]:
    for value in vars(errors).values():
        if inspect.isclass(value) and issubclass(value, AgentServerError):
            yield value


def _kind_of(error: type[AgentServerError]) -> str:
    parent = error.__bases__[0]
    return f"`{parent.__name__}`" if issubclass(parent, AgentServerError) else ""


def _status_of(error: type[AgentServerError]) -> str:
    # These end the program before anybody could ask it something.
    if issubclass(error, BadSetting | CannotStart):
        return "exit code 1"
    # Only the class counts for the status; not every error can be made without facts.
    return str(status_of(error.__new__(error)))


def _first_line(error: type[AgentServerError]) -> str:
    return (inspect.getdoc(error) or "").strip().splitlines()[0]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    sys.exit(main())
