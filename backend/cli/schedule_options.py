"""What the commands of `agpt schedule` share."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import click

from backend.cli.client import Server
from backend.cli.graphs import explained, server_option, token_option
from backend.core.errors import AgentServerError, BadRequest

Command = Callable[..., Any]

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="That server's, instead of AGPT_DATA_DIR.",
)


def server_options(command: Command) -> Command:
    """Give *command* the options that say which server is meant: `server_at` takes them."""
    return server_option(token_option(data_dir_option(command)))


_MISSED: Final = ("last", "all", "none")
_OVERLAPS: Final = ("allow", "queue", "skip", "stop")


def rule_options(command: Command) -> Command:
    """Give *command* the options that say what is asked of a schedule beside its times."""
    options = (
        click.option(
            "--missed",
            type=click.Choice(_MISSED),
            help="Of fires that came while no server ran, or queued: make the last, all (100 at most), none.",
        ),
        click.option(
            "--overlap",
            type=click.Choice(_OVERLAPS),
            help="While its last run goes on: start another, wait for its end, start none, stop it.",
        ),
        click.option("--jitter", type=int, metavar="SECONDS", help="Fire late by up to so much."),
        click.option("--starts", metavar="TIME", help="No fire before it: 2030-01-31T09:00."),
        click.option("--ends", metavar="TIME", help="No fire after it."),
        click.option(
            "--skipped-times",
            type=click.Choice(("run", "skip")),
            help="What daylight saving leaves out: fire at the next moment there is, or not.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def rules_told(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `rule_options` as the API takes them; what was not said is left out."""
    names = {"jitter": "jitter_s", "starts": "starts_at", "ends": "ends_at"}
    return {names.get(name, name): value for name, value in told.items() if value is not None}


def read_values(
    server: Server, graph_id: str, version: int | None, values: Sequence[str]
) -> dict[str, Any]:
    """Return the inputs that a command names, as the graph of *server* takes them."""
    from backend.cli.inputs import read_inputs  # noqa: PLC0415 -- `agpt --help` does without

    try:
        graph = graph_of(server, graph_id, version)
    except BadRequest:
        if values:
            raise
        return {}  # nothing was said about inputs, and the server knows its graphs better
    return read_inputs(graph, values)


def graph_of(server: Server, graph_id: str, version: int | None = None) -> Any:
    """Return a graph of *server* as `backend.core.graph.Graph`."""
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- `agpt --help` does without
    from backend.services.portable import read_graph  # noqa: PLC0415 -- the same

    text = json.dumps(server.export(graph_id, version))
    try:
        return read_graph(text, name=graph_id, fresh=SystemClock().new_id)
    except AgentServerError as exc:
        raise BadRequest(f"graph {graph_id} cannot be read here: {explained(exc)}") from exc


def schedules_of(graph_id: str) -> str:
    """Return the path of a graph's schedules."""
    return f"/api/graphs/{quote(graph_id, safe='')}/schedules"
