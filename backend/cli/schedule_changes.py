"""`agpt schedule show|change|pause|resume|run`: one schedule, and what becomes of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from backend.cli.client import data_dir_overrides, server_at
from backend.cli.options import json_option, print_json
from backend.cli.schedule_options import (
    read_values,
    rule_options,
    rules_told,
    server_options,
)
from backend.core.errors import BadRequest

_schedule_argument = click.argument("schedule_id")


@click.command()
@_schedule_argument
@json_option
@server_options
def show(schedule_id: str, *, as_json: bool, **where: Any) -> None:
    """Show a schedule, its rules and its next 20 fires."""
    found = _asked(where, "GET", schedule_id)
    if as_json:
        print_json(found)
        return
    for line in _lines(found):
        click.echo(line)


@click.command()
@_schedule_argument
@click.option("--cron", help="Other times; see agpt schedule add --help.")
@click.option("--name", help="Another name.")
@click.option("--timezone", help="An IANA name like Europe/Berlin.")
@click.option("--version", type=click.IntRange(1, 2**31 - 1), help="Of the graph.")
@click.option(
    "-i", "--input", "values", multiple=True, metavar="NAME=VALUE", help="All inputs anew."
)
@rule_options
@json_option
@server_options
def change(  # noqa: PLR0913 -- one an option
    schedule_id: str,
    *,
    cron: str | None,
    name: str | None,
    timezone: str | None,
    version: int | None,
    values: tuple[str, ...],
    missed: str | None,
    overlap: str | None,
    jitter: int | None,
    starts: str | None,
    ends: str | None,
    skipped_times: str | None,
    as_json: bool,
    **where: Any,
) -> None:
    """Change a schedule; what is not said stays. Runs that it started go on."""
    body = rules_told(
        {
            "cron": cron,
            "name": name,
            "timezone": timezone,
            "graph_version": version,
            "missed": missed,
            "overlap": overlap,
            "jitter": jitter,
            "starts": starts,
            "ends": ends,
            "skipped_times": skipped_times,
        }
    )
    if values:
        body["inputs"] = _inputs(where, schedule_id, version, values)
    if not body:
        raise click.UsageError("say what is to be different; see agpt schedule change --help")
    _tell(_asked(where, "PATCH", schedule_id, body), as_json=as_json)


@click.command()
@_schedule_argument
@json_option
@server_options
def pause(schedule_id: str, *, as_json: bool, **where: Any) -> None:
    """Stop firing until it is resumed; what it would have done meanwhile is not made up for."""
    _tell(_asked(where, "PATCH", schedule_id, {"is_paused": True}), as_json=as_json)


@click.command()
@_schedule_argument
@json_option
@server_options
def resume(schedule_id: str, *, as_json: bool, **where: Any) -> None:
    """Let a paused schedule fire again, from now on."""
    _tell(_asked(where, "PATCH", schedule_id, {"is_paused": False}), as_json=as_json)


@click.command()
@_schedule_argument
@json_option
@server_options
def run(schedule_id: str, *, as_json: bool, **where: Any) -> None:
    """Start now what the schedule would start; its fires stay as they are."""
    started = _asked(where, "POST", schedule_id, below="/run")
    if as_json:
        print_json(started)
        return
    click.echo(f"run {started['id']}")


def _asked(
    where: Mapping[str, Any],
    method: str,
    schedule_id: str,
    body: Mapping[str, Any] | None = None,
    *,
    below: str = "",
) -> dict[str, Any]:
    path = f"/api/schedules/{quote(schedule_id, safe='')}{below}"
    with _server(where) as running:
        found = running.ask(method, path, body)
    if not isinstance(found, dict):
        raise BadRequest("the server's answer is no schedule")
    return found


def _server(where: Mapping[str, Any]) -> Any:
    data_dir: Path | None = where["data_dir"]
    return server_at(where["server"], where["token"], data_dir_overrides(data_dir))


def _inputs(
    where: Mapping[str, Any], schedule_id: str, version: int | None, values: tuple[str, ...]
) -> dict[str, Any]:
    found = _asked(where, "GET", schedule_id)
    with _server(where) as running:
        graph_version = version or found["graph_version"]
        return read_values(running, found["graph_id"], graph_version, values)


def _tell(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for line in _lines(found)[:2]:
        click.echo(line)


def _lines(found: Mapping[str, Any]) -> list[str]:
    state = f"paused: {found['paused_because']}" if found["is_paused"] else "ended"
    if found["next_run_time"]:
        state = f"next {found['next_run_time']}"
    rules = [
        f"missed {found['missed']}",
        f"overlap {found['overlap']}",
        f"jitter {found['jitter_s']} s",
        f"skipped times {found['skipped_times']}",
    ]
    rules += [f"{name} {found[f'{name}_at']}" for name in ("starts", "ends") if found[f"{name}_at"]]
    return [
        f"schedule {found['id']}  {found['name']}",
        f"  {found['cron_description']}; {state}",
        f"  graph {found['graph_id']} version {found['graph_version']}",
        f"  {', '.join(rules)}",
        *(f"  at {at}" for at in found["next_run_times"]),
    ]
