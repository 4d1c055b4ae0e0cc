"""`agpt parked`, `agpt retry`: runs that took their executor down too often, and what lets them go on."""

from pathlib import Path

import click

from backend.cli.options import json_option, print_json
from backend.cli.recorded import recorded
from backend.cli.server import data_dir_option
from backend.cli.storage import with_storage

_MOST = 1_000


@click.command()
@json_option
@data_dir_option
def parked(*, as_json: bool, data_dir: Path | None) -> None:
    """
    List the runs of everybody that are parked, the last parked first.

    A run that takes its executor down six times at the same point is not tried again: it ends, with
    the reason, and keeps what it needs to go on.
    """
    from datetime import UTC, datetime  # noqa: PLC0415 -- help does without

    found = with_storage(data_dir, lambda _, storage: storage.parked(limit=_MOST))
    moments = [datetime.fromtimestamp(one.parked_us / 1e6, UTC) for one in found]
    if as_json:
        print_json(
            [
                {
                    "id": one.id,
                    "user_id": one.user_id,
                    "graph_id": one.graph_id,
                    "graph_version": one.graph_version,
                    "graph_name": one.graph_name,
                    "parked_at": moment.isoformat(),
                    "reason": one.reason,
                }
                for one, moment in zip(found, moments, strict=True)
            ]
        )
        return
    if not found:
        click.echo("Nothing is parked.")
    for one, moment in zip(found, moments, strict=True):
        name = one.graph_name or f"graph #{one.graph_id}"
        since = moment.isoformat(timespec="seconds")
        click.echo(f"run #{one.id} of {name}, user {one.user_id}, since {since}: {one.reason}")


@click.command()
@click.argument("run_id")
@json_option
@data_dir_option
def retry(*, run_id: str, as_json: bool, data_dir: Path | None) -> None:
    """
    Let the parked run RUN_ID go on after its last step that was committed.

    What was at work when its executor was lost is treated as after any crash: done again, with the
    same key, or not at all, as its block may be.
    """
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- help does without
    from backend.core.ids import ExecutionId  # noqa: PLC0415 -- the same

    now_us = SystemClock().now_us()
    with recorded("retry", "run", run_id):
        with_storage(data_dir, lambda _, storage: storage.retry(ExecutionId(run_id), now_us=now_us))
    if as_json:
        print_json({"id": run_id, "retried": True})
        return
    click.echo(f"run #{run_id} goes on.")
