"""`agpt jobs`: the running server's own jobs, for administrators."""

from pathlib import Path
from urllib.parse import quote

import click

from backend.cli import HyphenGroup
from backend.cli.client import data_dir_overrides, server_at
from backend.cli.options import json_option, print_json
from backend.cli.schedule_options import server_options


@click.group(cls=HyphenGroup)
def jobs() -> None:
    """List the jobs of a running server, what they did, and run one."""


@jobs.command(name="list")
@json_option
@server_options
def list_(*, as_json: bool, server: str | None, token: str | None, data_dir: Path | None) -> None:
    """List the jobs: when each is due, and what it did last."""
    with server_at(server, token, data_dir_overrides(data_dir)) as running:
        found = running.ask("GET", "/api/admin/jobs")["jobs"]
    if as_json:
        print_json(found)
        return
    for one in found:
        last = "never ran"
        if one["last_ended_at"]:
            last = f"ended {one['last_ended_at']}: {one['last_result']}"
        click.echo(f"{one['name']}  every {one['every_s']:g} s  due {one['due_at']}  {last}")


@jobs.command()
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@json_option
@server_options
def history(
    *,
    name: str,
    limit: int,
    as_json: bool,
    server: str | None,
    token: str | None,
    data_dir: Path | None,
) -> None:
    """Show what the job NAME did, newest first."""
    path = f"/api/admin/jobs/{quote(name, safe='')}/runs?limit={limit}"
    with server_at(server, token, data_dir_overrides(data_dir)) as running:
        found = running.ask("GET", path)["runs"]
    if as_json:
        print_json(found)
        return
    for one in found:
        said = one["result"] if one["ok"] else f"failed: {one['error']}"
        click.echo(f"{one['started_at']}  {said}")
    if not found:
        click.echo("It has not run yet.", err=True)


@jobs.command()
@click.argument("name")
@json_option
@server_options
def run(
    *, name: str, as_json: bool, server: str | None, token: str | None, data_dir: Path | None
) -> None:
    """Have the scheduler run the job NAME at once."""
    with server_at(server, token, data_dir_overrides(data_dir)) as running:
        made = running.ask("POST", f"/api/admin/jobs/{quote(name, safe='')}/run")
    if as_json:
        print_json(made)
        return
    click.echo(f"{name} was asked for; `agpt jobs history {name}` shows what it did.")
