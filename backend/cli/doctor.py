"""`agpt doctor`: what the rows of the database say about themselves, and about runs that stand still."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from backend.cli.options import json_option, print_json
from backend.cli.server import data_dir_option, overrides_of

if TYPE_CHECKING:
    from backend.services.doctor import Report
    from backend.settings import Settings

#: Fewer rows are looked at before a bar could be read.
LONG_WORK_ROWS: Final = 200_000


@click.command()
@json_option
@data_dir_option
def doctor(*, as_json: bool, data_dir: Path | None) -> None:
    """
    Look whether the database holds what cannot be, and say why runs do not move.

    Reads only, beside a running server or without one. Exit code 1: something is wrong.
    """
    from backend.settings import load_settings  # noqa: PLC0415 -- `agpt --help` does without

    settings, _ = load_settings(overrides_of(data_dir))
    report = _examine(settings)
    (_show_json if as_json else _show)(report)
    if report.broken:
        sys.exit(1)


def _examine(settings: "Settings") -> "Report":
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- `agpt --help` does without
    from backend.adapters.storage.doctor import examine as opened  # noqa: PLC0415 -- the same
    from backend.cli.alive import alive_on  # noqa: PLC0415 -- the same
    from backend.cli.database import require_newest  # noqa: PLC0415 -- the same
    from backend.services.doctor import STEPS, examine  # noqa: PLC0415 -- the same
    from backend.wiring import database_path  # noqa: PLC0415 -- the same

    path = database_path(settings)
    require_newest(path)
    with opened(path) as records, _progress(STEPS, records.rows()) as step:
        return examine(records, alive_on(settings), now_us=SystemClock().now_us(), step=step)


@contextmanager
def _progress(steps: int, rows: int) -> Iterator[Callable[[str], None]]:
    """Show a bar where the work is long and somebody looks at it."""
    if rows < LONG_WORK_ROWS or not sys.stderr.isatty():
        yield lambda _: None
        return
    label = f"{rows:,} rows"
    with click.progressbar(length=steps, label=label, file=sys.stderr) as bar:
        yield lambda _: bar.update(1)


def _show(report: "Report") -> None:
    for finding in report.broken:
        click.echo(f"BROKEN  {finding.rule}")
        for broken in finding.broken:
            click.echo(f"        {broken.row}: {broken.detail}")
        if finding.count > len(finding.broken):
            click.echo(f"        … and {finding.count - len(finding.broken)} more.")
    for note in report.still:
        for line in note.lines():
            click.echo(f"still   run {note.run_id} ({note.status}): {line}")
    if report.more:
        click.echo("still   … and further runs.")
    kept = len(report.findings) - len(report.broken)
    click.echo(f"{kept} of {len(report.findings)} rules hold.")


def _show_json(report: "Report") -> None:
    from backend.cli.why import why_as_json  # noqa: PLC0415 -- `agpt --help` does without

    found: dict[str, Any] = {
        "ok": not report.broken,
        "rules": [
            {
                "rule": finding.rule,
                "count": finding.count,
                "broken": [{"row": one.row, "detail": one.detail} for one in finding.broken],
            }
            for finding in report.findings
        ],
        "still": [{**why_as_json(note), "reason": " ".join(note.lines())} for note in report.still],
        "more": report.more,
    }
    print_json(found)
