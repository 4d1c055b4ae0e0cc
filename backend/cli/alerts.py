"""`agpt alerts`: of which runs of an agent its owner is told."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from backend.cli import HyphenGroup
from backend.cli.client import data_dir_overrides, server_at
from backend.cli.options import json_option, print_json
from backend.cli.schedule_options import server_options
from backend.core.alerts import MAX_THRESHOLD, AlertKind


@click.group(cls=HyphenGroup)
def alerts() -> None:
    """List, add and remove alerts on agents of a running server."""


@alerts.command(name="list")
@click.argument("graph_id")
@json_option
@server_options
def list_(
    *,
    graph_id: str,
    as_json: bool,
    server: str | None,
    token: str | None,
    data_dir: Path | None,
) -> None:
    """List the alerts on the agent GRAPH_ID and how they stand."""
    with server_at(server, token, data_dir_overrides(data_dir)) as running:
        found = running.ask("GET", _alerts_of(graph_id))
    if as_json:
        print_json(found)
        return
    for one in found:
        click.echo(_line(one))
    if not found:
        click.echo("There are no alerts.", err=True)


@alerts.command()
@click.argument("graph_id")
@click.argument("kind", type=click.Choice([kind.value for kind in AlertKind]))
@click.argument("threshold", type=click.IntRange(1, MAX_THRESHOLD), required=False)
@click.option("--names-block", is_flag=True, help="Tell which block failed.")
@json_option
@server_options
def add(
    *,
    graph_id: str,
    kind: str,
    threshold: int | None,
    names_block: bool,
    as_json: bool,
    server: str | None,
    token: str | None,
    data_dir: Path | None,
) -> None:
    """
    Tell the owner of the agent GRAPH_ID when KIND comes true.

    THRESHOLD counts what KIND asks: failed_in_row runs, slower_than and no_run_for seconds,
    credits_over credits, model_cost_over millionths of a US dollar; only failed takes none.
    """
    body = {"kind": kind, "threshold": threshold, "names_block": names_block}
    with server_at(server, token, data_dir_overrides(data_dir)) as running:
        made = running.ask("POST", _alerts_of(graph_id), body)
    if as_json:
        print_json(made)
        return
    click.echo(_line(made))


@alerts.command()
@click.argument("graph_id")
@click.argument("alert_ids", metavar="ALERT_ID...", nargs=-1, required=True)
@json_option
@server_options
def rm(
    *,
    graph_id: str,
    alert_ids: tuple[str, ...],
    as_json: bool,
    server: str | None,
    token: str | None,
    data_dir: Path | None,
) -> None:
    """Remove alerts on the agent GRAPH_ID."""
    with server_at(server, token, data_dir_overrides(data_dir)) as running:
        for one in alert_ids:
            running.ask("DELETE", f"{_alerts_of(graph_id)}/{quote(one, safe='')}")
            if not as_json:
                click.echo(f"Removed alert {one}")
    if as_json:
        print_json({"removed": list(alert_ids)})


def _alerts_of(graph_id: str) -> str:
    return f"/api/graphs/{quote(graph_id, safe='')}/alerts"


def _line(one: Any) -> str:
    count = one["fired_count"]
    stands = f"came true {count} times, last {one['last_fired_at']}" if count else "never came true"
    return f"alert {one['id']}  {one['description']}  {stands}" + (
        "" if one["is_active"] else "  switched off"
    )
