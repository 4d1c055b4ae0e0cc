"""`agpt schedule`: when the running server runs which agents by itself."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from backend.cli import HyphenGroup
from backend.cli.client import Server, data_dir_overrides, server_at
from backend.cli.graphs import explained, server_option, token_option
from backend.cli.options import json_option, print_json
from backend.cli.schedule_changes import change, pause, resume, run, show
from backend.cli.schedule_options import (
    data_dir_option,
    read_values,
    rule_options,
    rules_told,
    schedules_of,
)
from backend.core.errors import BadRequest, GraphInvalid, NotFound, Unavailable


@click.group(cls=HyphenGroup)
def schedule() -> None:
    """List, add, change, pause and remove schedules of a running server."""


for _command in (show, change, pause, resume, run):
    schedule.add_command(_command)


@schedule.command(name="list")
@click.argument("graph_id", required=False)
@click.option("--all", "show_all", is_flag=True, help="Also those that are paused or have ended.")
@json_option
@server_option
@token_option
@data_dir_option
def list_(
    *,
    graph_id: str | None,
    show_all: bool,
    as_json: bool,
    server: str | None,
    token: str | None,
    data_dir: Path | None,
) -> None:
    """List the schedules that will fire, of all graphs or of GRAPH_ID."""
    path = "/api/schedules" if graph_id is None else schedules_of(graph_id)
    path += "?include_paused=true" if show_all else ""
    with server_at(server, token, data_dir_overrides(data_dir)) as running:
        found = running.ask("GET", path)
    if not isinstance(found, list):
        raise Unavailable("the server's answer is no list of schedules")
    if as_json:
        print_json(found)
        return
    for one in found:
        click.echo(
            f"schedule {one['id']}  {one['cron']} ({one['timezone']})  {_next_of(one)}"
            f"  graph {one['graph_id']} version {one['graph_version']}  {one['name']}"
        )
    if not found:
        click.echo("There are no schedules.", err=True)


@schedule.command()
@click.argument("graph_id")
@click.argument("cron")
@click.option(
    "-i",
    "--input",
    "values",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for an input: JSON, or text; NAME=@FILE reads it from a file.",
)
@click.option("--name", help="Else the agent's.")
@click.option("--timezone", help="An IANA name like Europe/Berlin; else yours, else UTC.")
@click.option("--version", type=click.IntRange(1, 2**31 - 1), help="Else the active one.")
@rule_options
@json_option
@server_option
@token_option
@data_dir_option
def add(  # noqa: PLR0913 -- one an option
    *,
    graph_id: str,
    cron: str,
    values: tuple[str, ...],
    name: str | None,
    timezone: str | None,
    version: int | None,
    as_json: bool,
    server: str | None,
    token: str | None,
    data_dir: Path | None,
    **rules: Any,
) -> None:
    """
    Run the agent GRAPH_ID at the times that CRON tells.

    CRON has five fields: minute, hour, day of month, month, weekday; 0 and 7 are Sunday. Put it
    in quotes: agpt schedule add ID "0 9 * * MON-FRI". It may also be @hourly, @daily, @weekly,
    @monthly, "@every 90m", or "@at 2030-01-31T09:00" for once.
    """
    with server_at(server, token, data_dir_overrides(data_dir)) as running:
        made = add_schedule(
            running,
            graph_id,
            {
                "cron": cron,
                "name": name,
                "timezone": timezone,
                "graph_version": version,
                "inputs": read_values(running, graph_id, version, values),
                **rules_told(rules),
            },
        )
    if as_json:
        print_json(made)
        return
    click.echo(f"schedule {made['id']}")
    said = made.get("cron_description") or made.get("cron", cron)
    click.echo(f"  {said}; next {made['next_run_time']}")


@schedule.command()
@click.argument("schedule_ids", metavar="SCHEDULE_ID...", nargs=-1, required=True)
@json_option
@server_option
@token_option
@data_dir_option
def rm(
    *,
    schedule_ids: tuple[str, ...],
    as_json: bool,
    server: str | None,
    token: str | None,
    data_dir: Path | None,
) -> None:
    """Remove schedules; runs that they started go on. Exit code 1: one was not there."""
    removed: list[str] = []
    refused: list[dict[str, str]] = []
    with server_at(server, token, data_dir_overrides(data_dir)) as running:
        for one in schedule_ids:
            try:
                running.ask("DELETE", f"/api/schedules/{quote(one, safe='')}")
            except BadRequest as exc:
                refused.append({"id": one, "error": str(exc)})
                click.echo(f"agpt: {exc}", err=True)
            else:
                removed.append(one)
                if not as_json:
                    click.echo(f"Removed schedule {one}.")
    if as_json:
        print_json({"removed": removed, "refused": refused})
    if refused:
        sys.exit(1)


def add_schedule(server: Server, graph_id: str, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    Save a schedule on *server* and return it.

    Args:
        wanted: `cron` and `inputs`; `name`, `timezone` and `graph_version` may be None.
    """
    body = {key: value for key, value in wanted.items() if value is not None}
    # The API wants a name; the agent's is the best that there is.
    body.setdefault("name", _graph(server, graph_id)["name"])
    try:
        made = server.ask("POST", schedules_of(graph_id), body)
    except GraphInvalid as exc:
        raise BadRequest(explained(exc)) from exc
    if not isinstance(made, dict) or not {"id", "next_run_time"} <= made.keys():
        raise Unavailable("the server's answer is no schedule")
    return made


def _next_of(one: Mapping[str, Any]) -> str:
    if one.get("is_paused"):
        return f"paused: {one['paused_because']}"
    return f"next {one['next_run_time'] or 'never'}"


def _graph(server: Server, graph_id: str) -> Any:
    found = server.ask("GET", f"/api/graphs/{quote(graph_id, safe='')}")
    if not isinstance(found, dict) or "name" not in found:
        raise NotFound(f"{server.address.origin} has no graph {graph_id}")
    return found
