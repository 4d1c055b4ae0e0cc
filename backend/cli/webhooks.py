"""`agpt webhooks`: the addresses at which agents are started, and what was delivered there."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from backend.cli import HyphenGroup
from backend.cli.client import data_dir_overrides, server_at
from backend.cli.options import json_option, print_json
from backend.cli.schedule_options import server_options

_BASE = "/api/integrations/webhooks"


@click.group(cls=HyphenGroup)
def webhooks() -> None:
    """List webhooks of a running server, what was delivered to them, and start one again."""


@webhooks.command(name="list")
@json_option
@server_options
def list_(*, as_json: bool, server: str | None, token: str | None, data_dir: Path | None) -> None:
    """List your webhooks: where senders deliver, and which presets they start."""
    with server_at(server, token, data_dir_overrides(data_dir)) as running:
        found = running.ask("GET", _BASE)["webhooks"]
    if as_json:
        print_json(found)
        return
    for one in found:
        starts = ", ".join(
            preset["name"] + ("" if preset["is_active"] else " (off)") for preset in one["presets"]
        )
        refused = f"  refused {one['refused_count']}" if one["refused_count"] else ""
        click.echo(f"{one['id']}  {one['provider']}  starts {starts or 'nothing'}{refused}")
        if one["url"]:
            click.echo(f"    {one['url']}")
    if not found:
        click.echo("There is no webhook; a preset with a trigger makes one.", err=True)


@webhooks.command()
@click.argument("webhook_id", metavar="WEBHOOK")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@json_option
@server_options
def deliveries(
    *,
    webhook_id: str,
    limit: int,
    as_json: bool,
    server: str | None,
    token: str | None,
    data_dir: Path | None,
) -> None:
    """Show what was delivered to WEBHOOK, newest first, and what became of it."""
    path = f"{_BASE}/{quote(webhook_id, safe='')}/deliveries?limit={limit}"
    with server_at(server, token, data_dir_overrides(data_dir)) as running:
        found = running.ask("GET", path)["deliveries"]
    if as_json:
        print_json(found)
        return
    for one in found:
        _say(one)
    if not found:
        click.echo("Nothing has been delivered yet.", err=True)


@webhooks.command()
@click.argument("webhook_id", metavar="WEBHOOK")
@click.argument("delivery_id", metavar="DELIVERY")
@json_option
@server_options
def replay(
    *,
    webhook_id: str,
    delivery_id: str,
    as_json: bool,
    server: str | None,
    token: str | None,
    data_dir: Path | None,
) -> None:
    """Start DELIVERY to WEBHOOK once more, with the body that it had."""
    path = f"{_BASE}/{quote(webhook_id, safe='')}/deliveries/{quote(delivery_id, safe='')}/replay"
    with server_at(server, token, data_dir_overrides(data_dir)) as running:
        made = running.ask("POST", path)
    if as_json:
        print_json(made)
        return
    _say(made)


def _say(delivery: dict[str, Any]) -> None:
    why = f"  {delivery['reason']}" if delivery["reason"] else ""
    click.echo(
        f"{delivery['id']}  {delivery['received_at']}  {delivery['event'] or '-'}"
        f"  {delivery['status']}{why}"
    )
    for run in delivery["runs"]:
        became = f"run {run['graph_exec_id']}" if run["graph_exec_id"] else run["error"]
        click.echo(f"    preset {run['preset_id']}: {became}")
