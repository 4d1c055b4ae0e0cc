"""`agpt why`: what a run waits for, in words."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.cli.options import json_option, print_json
from backend.cli.server import data_dir_option, overrides_of

if TYPE_CHECKING:
    from backend.services.why import Reason, Why


@click.command()
@click.argument("run_id")
@json_option
@data_dir_option
def why(*, run_id: str, as_json: bool, data_dir: Path | None) -> None:
    """
    Say what the run RUN_ID waits for, and until when; of one that has ended, what never ran.

    Reads the database, beside a running server or without one. A running server is asked what it
    knows besides: who works, who waits for another try, which limits are reached.
    """
    found = _explained(run_id, data_dir)
    if as_json:
        print_json(why_as_json(found))
        return
    click.echo(f"run {found.run_id} is {found.status}.")
    for line in found.lines():
        click.echo(f"  {line}")


def why_as_json(found: "Why") -> dict[str, Any]:
    """Return *found* for programs."""
    return {
        "execution": found.run_id,
        "status": found.status.value,
        "wrong": found.is_wrong,
        "reasons": [_reason_as_json(reason) for reason in found.reasons],
    }


def _reason_as_json(reason: "Reason") -> dict[str, Any]:
    return {
        "cause": reason.cause.value,
        "text": reason.text,
        "node": reason.node,
        "wrong": reason.is_wrong,
        "nested": None if reason.inner is None else why_as_json(reason.inner),
    }


def _explained(run_id: str, data_dir: Path | None) -> "Why":
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- `agpt --help` does without
    from backend.adapters.storage.doctor import examine as opened  # noqa: PLC0415 -- the same
    from backend.cli.alive import alive_on  # noqa: PLC0415 -- the same
    from backend.cli.database import require_newest  # noqa: PLC0415 -- the same
    from backend.core.errors import NotFound  # noqa: PLC0415 -- the same
    from backend.core.ids import ExecutionId  # noqa: PLC0415 -- the same
    from backend.services.why import House, explain  # noqa: PLC0415 -- the same
    from backend.settings import load_settings  # noqa: PLC0415 -- the same
    from backend.wiring import database_place  # noqa: PLC0415 -- the same

    settings, _ = load_settings(overrides_of(data_dir))
    place = database_place(settings)
    require_newest(place)
    alive = alive_on(settings)
    with opened(place) as records:
        run = records.runs.run(ExecutionId(run_id))
        if run is None:
            raise NotFound(f"There is no run {run_id} in {place}.")
        house = House(
            executor=alive.executor,
            slots=alive.slots,
            catalog=alive.catalog,
            facts=alive.ask(records.runs.family(run.id)) if alive.executor else None,
            now_us=SystemClock().now_us(),
        )
        return explain(records.runs, run, house)
