"""`agpt test populate-db` and `agpt test execute`: something on a server to look at, and a run of it."""

import sys
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import click

from backend.cli.client import Server, server_at
from backend.cli.graphs import explained, file_form, token_option
from backend.cli.inputs import takes_text
from backend.cli.options import json_option, print_json
from backend.cli.outcome import RunResult, show, show_json
from backend.cli.run import sample_graph, wait_for_end
from backend.cli.schedule_options import graph_of
from backend.cli.schedules import add_schedule
from backend.core.errors import BadRequest, GraphInvalid

SAMPLE_INPUTS: Final = {"input_1": "Hello", "input_2": "World"}
#: Once a day: often enough to be seen, seldom enough to be left there.
SAMPLE_CRON: Final = "0 9 * * *"
_RUN_LIMIT_S: Final = 60.0
#: How many words `execute` takes: without SERVER, and with it.
_WITHOUT, _WITH = 2, 3


@click.command("populate-db")
@click.argument("server", required=False)
@json_option
@token_option
def populate_db(*, server: str | None, as_json: bool, token: str | None) -> None:
    """Create the sample graph on SERVER, run it once, schedule it daily, and print the ids."""

    def tell(said: Mapping[str, str]) -> None:
        if not as_json:
            name, made = list(said.items())[-1]
            click.echo(f"{name} {made}")

    with server_at(server, token) as running:
        saved = running.create_graph(file_form(sample_graph()))
        said = {"graph": saved["id"]}
        tell(said)
        started = running.start(saved["id"], saved["version"], SAMPLE_INPUTS)
        said["execution"] = started["id"]
        tell(said)
        wanted = {"cron": SAMPLE_CRON, "inputs": SAMPLE_INPUTS, "graph_version": saved["version"]}
        said["schedule"] = add_schedule(running, saved["id"], wanted)["id"]
        tell(said)
        run, _ = wait_for_end(running, saved["id"], started["id"], _RUN_LIMIT_S)
    if as_json:
        print_json({**said, "status": run["status"]})
    if run["status"] != "COMPLETED":
        raise BadRequest(f"the sample's run is {run['status']}, not COMPLETED")


@click.command()
@click.argument("words", metavar="[SERVER] GRAPH_ID TEXT", nargs=-1)
@json_option
@token_option
def execute(*, words: tuple[str, ...], as_json: bool, token: str | None) -> None:
    """
    Run a graph of SERVER with TEXT for every text input, and print its outputs.

    Exit code 1: the run is not COMPLETED, or a node failed.
    """
    if len(words) not in (_WITHOUT, _WITH):
        raise click.UsageError(
            "Write [SERVER] GRAPH_ID TEXT; put a TEXT of several words in quotes."
        )
    *server, graph_id, text = words
    with server_at(server[0] if server else None, token) as running:
        try:
            started = _start(running, graph_id, text)
        except GraphInvalid as exc:
            raise BadRequest(explained(exc)) from exc
        run, stopped_by = wait_for_end(running, graph_id, started["id"], _RUN_LIMIT_S)
        graph = graph_of(running, graph_id, started["version"])
    result = RunResult(run=run, graph=graph, ids={}, stopped_by=stopped_by)
    (show_json if as_json else show)(result)
    if not result.is_success:
        sys.exit(1)


def _start(server: Server, graph_id: str, text: str) -> dict[str, Any]:
    """Start a run of the active version; return its id and that version."""
    path = f"/api/graphs/{quote(graph_id, safe='')}"
    schema = server.ask("GET", path).get("input_schema") or {}
    inputs = inputs_of(schema, text)
    if not inputs and schema.get("properties"):
        raise BadRequest(f"graph {graph_id} has no input that takes text")
    started = server.ask("POST", f"{path}/execute", {"inputs": inputs})
    return {"id": started["id"], "version": started["graph_version"]}


def inputs_of(schema: Mapping[str, Any], text: str) -> dict[str, str]:
    """Return *text* for each input that takes any text: of no type in particular, or of that one."""
    pins: Mapping[str, Mapping[str, Any]] = schema.get("properties") or {}
    return {name: text for name, pin in pins.items() if _takes_any_text(pin)}


def _takes_any_text(pin: Mapping[str, Any]) -> bool:
    if "enum" in pin or pin.get("format") in ("date", "time", "file"):
        return False
    return takes_text(pin) or not {"type", "anyOf", "oneOf", "allOf", "$ref"} & pin.keys()
