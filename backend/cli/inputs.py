"""What follows `-i`: names and values, by what the agent's input blocks take."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from backend.core import json

if TYPE_CHECKING:
    from backend.core.graph import Graph

#: Larger values belong into the agent, or behind an address that it fetches.
MAX_VALUE_BYTES: Final = 16 * 1024 * 1024


def read_inputs(graph: "Graph", texts: Sequence[str]) -> dict[str, Any]:
    """
    Return the inputs of a run by name.

    A text that is a JSON object, array, number, true, false or null stands for that value, unless
    the input takes text. `@path` stands for the content of a file, `@@` for an `@`.

    Raises:
        click.UsageError: With the names that there are, when one is unknown or missing.
    """
    schema = _schema(graph)
    inputs = read_pins(schema, texts)
    missing = [name for name in schema["required"] if name not in inputs]
    if missing:
        few = "is" if len(missing) == 1 else "are"
        raise click.UsageError(f"{', '.join(missing)} {few} missing. {_known(schema)}")
    return inputs


def read_pins(schema: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """
    Return values by the names of the pins in *schema*; `values_#_a` writes a part of `values`.

    Raises:
        click.UsageError: As `read_inputs` does, but for pins that are missing.
    """
    from backend.core.pins import base_name  # noqa: PLC0415 -- `agpt --help` does without

    pins: Mapping[str, Mapping[str, Any]] = schema["properties"]
    inputs: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{text!r} is no input: write NAME=VALUE.")
        if base_name(name) not in pins:
            raise click.UsageError(f"There is no input {name!r}. {_known(schema)}")
        if name in inputs:
            raise click.UsageError(f"The input {name!r} is given twice.")
        inputs[name] = _value(name, value, pins.get(name, {}))
    return inputs


def _schema(graph: "Graph") -> Any:
    """Return what a run is given: the agent's inputs, and the pins of its trigger if it has one."""
    from backend.core.graph_schema import input_schema  # noqa: PLC0415 -- help does without
    from backend.core.triggers import trigger_of  # noqa: PLC0415 -- the same
    from backend.discovery import load_catalog  # noqa: PLC0415 -- the same

    schema: Any = input_schema(graph, load_catalog())
    trigger = trigger_of(graph, load_catalog())
    if trigger is None:
        return schema
    own = trigger.block.input_schema.properties
    return {
        **schema,
        "properties": {**{pin: own[pin] for pin in trigger.pins}, **schema["properties"]},
    }


def _known(schema: Any) -> str:
    if not schema["properties"]:
        return "It has no inputs."
    names = [
        f"{name} (required)" if name in schema.get("required", ()) else name
        for name in schema["properties"]
    ]
    return f"The inputs are: {', '.join(names)}."


def _value(name: str, text: str, pin: Mapping[str, Any]) -> Any:
    if text.startswith("@@"):
        text = text[1:]
    elif text.startswith("@"):
        text = _content(name, Path(text[1:]))
    if takes_text(pin):
        return text
    try:
        value = json.loads(text)
    except json.NotJson:
        return text
    # A text in quotes keeps them: who wants text writes it as it is.
    return text if isinstance(value, str) else value


def takes_text(pin: Mapping[str, Any]) -> bool:
    """Say whether a pin of this schema takes text and nothing else, null aside."""
    kinds = pin.get("anyOf") or [pin]
    types = {kind.get("type") for kind in kinds if isinstance(kind, Mapping)}
    return types - {"null"} == {"string"}


def _content(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_VALUE_BYTES + 1)
        text = content.decode()
    except OSError as exc:
        raise click.UsageError(f"{path}, for {name!r}, cannot be read: {exc.strerror}.") from exc
    except UnicodeDecodeError as exc:
        raise click.UsageError(f"{path}, for {name!r}, is no UTF-8 text.") from exc
    if len(content) > MAX_VALUE_BYTES:
        raise click.UsageError(f"{path}, for {name!r}, has over {MAX_VALUE_BYTES:,} bytes.")
    return text
