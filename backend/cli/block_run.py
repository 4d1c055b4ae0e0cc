"""`agpt block run`: one block alone, on a running server; prints what it gives."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import click

from backend.cli.client import Server, data_dir_overrides, server_at
from backend.cli.inputs import read_pins
from backend.cli.options import json_option, print_json
from backend.cli.schedule_options import server_options
from backend.core import json
from backend.core.errors import BadRequest, NotFound

INTERRUPTED: Final = 130
#: A block alone ends after five minutes; the server says so, and we let it.
LIMIT_S: Final = 330.0


@click.command(name="run")
@click.argument("name")
@click.option(
    "-i",
    "--input",
    "values",
    multiple=True,
    metavar="PIN=VALUE",
    help="A value for a pin: JSON, or text; PIN=@FILE reads it from a file; of credentials the id.",
)
@json_option
@server_options
def run_block(
    *,
    name: str,
    values: tuple[str, ...],
    as_json: bool,
    server: str | None,
    token: str | None,
    data_dir: Path | None,
) -> None:
    """
    Run the block NAME alone and print its outputs, a line for each: `pin: value`.

    An id will do, too. The server runs it, with your rights, limits and credits, and shows it in
    no list. Ctrl-C ends it.

    Exit code 1: it could not be run, it failed, or it gave an error. 130: it was interrupted.
    """
    with server_at(server, token, data_dir_overrides(data_dir)) as running:
        block = _named(running.ask("GET", "/api/blocks"), name)
        schema = block["inputSchema"]
        inputs = _with_credentials(running, schema, read_pins(schema, values))
        path = f"/api/blocks/{quote(block['id'], safe='')}/execute"
        try:
            outputs = running.ask("POST", path, inputs, limit_s=LIMIT_S)
        except KeyboardInterrupt:
            # The connection closes with us, and that ends the run.
            click.echo("agpt: interrupted; the block was stopped.", err=True)
            sys.exit(INTERRUPTED)
    if as_json:
        print_json({"block": block["name"], "outputs": outputs})
    else:
        _show(outputs)
    if outputs.get("error"):
        sys.exit(1)


def _named(blocks: Any, name: str) -> Any:
    """Return the block that is called *name*, with or without its last word, or has that id."""
    for one in blocks:
        if one["id"] == name or one["name"] in (name, f"{name}Block"):
            return one
    raise NotFound(f"The server has no block {name!r}; `agpt block list` shows those of this one.")


def _with_credentials(
    running: Server, schema: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return *inputs* with a reference where a pin of credentials was given an id or a title."""
    pins = schema["properties"]
    named = {
        pin: value
        for pin, value in inputs.items()
        if "credentials_provider" in pins.get(pin, {}) and isinstance(value, str)
    }
    if not named:
        return dict(inputs)
    kept = running.ask("GET", "/api/integrations/credentials")
    found = {pin: _reference(kept, pin, pins[pin], value) for pin, value in named.items()}
    return {**inputs, **found}


def _reference(kept: Any, pin: str, schema: Mapping[str, Any], wanted: str) -> dict[str, Any]:
    fitting = [one for one in kept if one["provider"] in schema["credentials_provider"]]
    found = [one for one in fitting if one["id"] == wanted]
    found = found or [one for one in fitting if one["title"] == wanted]
    if len(found) != 1:
        many = f"{len(found)} credentials are called" if found else "you keep no credentials"
        whose = ", ".join(schema["credentials_provider"])
        raise BadRequest(f"{pin}: {many} {wanted!r} for {whose}; give the id of one.")
    return {name: found[0][name] for name in ("id", "provider", "type", "title")}


def _show(outputs: Mapping[str, list[Any]]) -> None:
    for pin, values in outputs.items():
        for value in values:
            text = value if isinstance(value, str) else json.text(value)
            click.echo(f"{pin}: {text}", err=pin == "error")
