"""`agpt doctor`: what database and files say about themselves, and about runs that stand still."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from backend.adapters.database_place import Place
from backend.cli.options import json_option, print_json
from backend.cli.recorded import recorded
from backend.cli.server import data_dir_option, overrides_of

if TYPE_CHECKING:
    from backend.adapters.premises import DataPremises
    from backend.services.doctor import Report
    from backend.services.mending import Mended
    from backend.settings import Settings

#: Fewer rows are looked at before a bar could be read.
LONG_WORK_ROWS: Final = 200_000
#: One repair may bring to light what another mends.
_MOST_ROUNDS: Final = 5


@click.command()
@click.option("--fix", "fixes", is_flag=True, help="Mend what is certainly right to mend.")
@click.option("--dry-run", "is_trial", is_flag=True, help="With --fix: say what would be done.")
@json_option
@data_dir_option
def doctor(*, fixes: bool, is_trial: bool, as_json: bool, data_dir: Path | None) -> None:
    """
    Look whether database and files hold what cannot be, and say why runs do not move.

    Reads only, unless --fix is given; beside a running server or without one. --fix mends rule by
    rule, each in a transaction of its own, says what it did, and looks again. Some rules it mends
    only while no server runs, in a cluster on no machine. It deletes nothing: what belongs to nothing goes to the folder
    `doctor` of the data directory. Exit code 1: something is wrong, and was not mended.
    """
    from backend.settings import load_settings  # noqa: PLC0415 -- `agpt --help` does without

    if is_trial and not fixes:
        raise click.UsageError("--dry-run goes with --fix.")
    settings, _ = load_settings(overrides_of(data_dir))
    mended: list[Mended] = []
    if fixes:
        report, mended = _mend(settings, is_trial=is_trial)
    else:
        report = _examine(settings)
    (_show_json if as_json else _show)(report, mended, is_trial=is_trial)
    if report.broken:
        sys.exit(1)


def _examine(settings: "Settings") -> "Report":
    from backend.adapters.storage.doctor import examine as opened  # noqa: PLC0415 -- see above
    from backend.cli.alive import alive_on  # noqa: PLC0415 -- the same
    from backend.services.doctor import STEPS, examine  # noqa: PLC0415 -- the same

    place = _place(settings)
    with opened(place) as records, _progress(STEPS, records.rows()) as step:
        return examine(
            records,
            alive_on(settings),
            now_us=_now_us(),
            step=step,
            premises=_premises(settings, _now_us()),
        )


def _mend(settings: "Settings", *, is_trial: bool) -> "tuple[Report, list[Mended]]":
    """Mend, and look again, until nothing more can be mended; return the last look."""
    said: list[Mended] = []
    with _alone(settings) as is_alone:
        report = _examine(settings)
        for _ in range(1 if is_trial else _MOST_ROUNDS):
            mended = _mended(settings, report, is_alone=is_alone, is_trial=is_trial)
            said += [one for one in mended if one.done]
            if is_trial or not any(one.done for one in mended):
                break
            report = _examine(settings)
    return report, [*said, *(one for one in mended if not one.done)]


def _mended(
    settings: "Settings", report: "Report", *, is_alone: bool, is_trial: bool
) -> "list[Mended]":
    from backend.adapters.storage.doctor import examine as opened  # noqa: PLC0415 -- see above
    from backend.adapters.storage.repairs import SqlMender  # noqa: PLC0415 -- the same
    from backend.cli.alive import alive_on  # noqa: PLC0415 -- the same
    from backend.services.mending import Tools, mend  # noqa: PLC0415 -- the same

    place, now_us = _place(settings), _now_us()
    aside = settings.agpt_data_dir / "doctor" / f"{now_us}.jsonl"
    with opened(place) as records:
        tools = Tools(
            records=records,
            mender=SqlMender(place, aside),
            premises=_premises(settings, now_us),
            alive=alive_on(settings),
            is_alone=is_alone,
            is_trial=is_trial,
            now_us=now_us,
        )
        with recorded("mend", "database"):
            return mend(report, tools)


@contextmanager
def _alone(settings: "Settings") -> Iterator[bool]:
    """Keep servers from starting meanwhile; False where one runs already."""
    from backend.core.errors import CannotStart  # noqa: PLC0415 -- see above
    from backend.util.locks import take_data_dir_alone  # noqa: PLC0415 -- the same

    try:
        lock = take_data_dir_alone(settings.agpt_data_dir)
    except CannotStart:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _place(settings: "Settings") -> Place:
    from backend.cli.database import require_newest  # noqa: PLC0415 -- see above
    from backend.wiring import database_place  # noqa: PLC0415 -- the same

    place = database_place(settings)
    require_newest(place)
    return place


def _premises(settings: "Settings", now_us: int) -> "DataPremises":
    from backend.adapters.premises import DataPremises  # noqa: PLC0415 -- see above
    from backend.wiring_files import bucket_tree  # noqa: PLC0415 -- the same

    aside = settings.agpt_data_dir / "doctor" / str(now_us)
    return DataPremises(
        settings.agpt_data_dir,
        aside=aside,
        now_s=lambda: now_us / 1e6,
        bucket=bucket_tree(settings),
    )


def _now_us() -> int:
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- see above

    return SystemClock().now_us()


@contextmanager
def _progress(steps: int, rows: int) -> Iterator[Callable[[str], None]]:
    """Show a bar where the work is long and somebody looks at it."""
    if rows < LONG_WORK_ROWS or not sys.stderr.isatty():
        yield lambda _: None
        return
    label = f"{rows:,} rows"
    with click.progressbar(length=steps, label=label, file=sys.stderr) as bar:
        yield lambda _: bar.update(1)


def _show_mended(mended: "list[Mended]", *, is_trial: bool) -> None:
    for one in mended:
        for done in one.done:
            click.echo(f"trial   {done} (not kept)." if is_trial else f"mended  {done}.")
        if one.why_not is not None:
            click.echo(f"left    {one.rule} ({one.why_not})")


def _show(report: "Report", mended: "list[Mended]", *, is_trial: bool) -> None:
    _show_mended(mended, is_trial=is_trial)
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


def _show_json(report: "Report", mended: "list[Mended]", *, is_trial: bool) -> None:
    from backend.cli.why import why_as_json  # noqa: PLC0415 -- `agpt --help` does without

    found: dict[str, Any] = {
        "ok": not report.broken,
        "kept": not is_trial,
        "mended": [
            {"rule": one.rule, "done": list(one.done), "why_not": one.why_not} for one in mended
        ],
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
