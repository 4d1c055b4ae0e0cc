"""`agpt db`: at which step the database is, whether it is whole, and the way to the newest step."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from backend.adapters.database_place import Place, place_at
from backend.cli import HyphenGroup
from backend.cli.options import json_option, print_json
from backend.cli.server import data_dir_option, overrides_of
from backend.core.errors import BadRequest, CannotStart, NotFound

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from backend.settings import Settings

#: Of what SQLite finds wrong, so much is shown.
_MOST_WRONG: Final = 20
_MEGABYTE: Final = 1024 * 1024


@click.group(cls=HyphenGroup, name="db")
def database() -> None:
    """Look at the database; bring it up to date. A start of the server does that by itself."""


@database.command()
@json_option
@data_dir_option
def current(*, as_json: bool, data_dir: Path | None) -> None:
    """Print the step at which the database is, the one that this program needs, and those between."""
    from backend.adapters.storage.migrate import HEAD  # noqa: PLC0415 -- help does without
    from backend.adapters.storage.steps import steps_after  # noqa: PLC0415 -- the same

    place = _place(data_dir)
    step = step_of(place)
    waiting = [] if step is None else steps_after(step)
    if as_json:
        print_json(
            {
                "path": str(place),
                "step": step,
                "newest": HEAD,
                "waiting": [{"step": one.number, "mark": one.mark} for one in waiting],
            }
        )
        return
    there = "is not there yet" if step is None else f"is at step {step}"
    click.echo(f"{place} {there}; this program needs {HEAD}.")
    for one in waiting:
        click.echo(f"  {one.number}  {one.mark:<4}  {one.what}")


@database.command()
@click.option("--pre", "only_adds", is_flag=True, help="Only what an older server can live with.")
@json_option
@data_dir_option
def upgrade(*, only_adds: bool, as_json: bool, data_dir: Path | None) -> None:
    """
    Bring the database to the step that this program needs; makes it if it is not there.

    All steps are taken in one transaction: if one fails, the database is as it was. A SQLite file
    is copied first (UPGRADE_RESTORE_POINT). The server must be stopped. With --pre a server of the
    version before may go on meanwhile: steps that only add are taken, up to the first that does not.
    """
    from backend.adapters.storage.migrate import HEAD  # noqa: PLC0415 -- help does without
    from backend.adapters.storage.steps import newest_pre  # noqa: PLC0415 -- the same

    settings = _settings(data_dir)
    place = _place_of(settings)
    before = step_of(place)
    goal = newest_pre(before) if only_adds and before is not None else HEAD
    if before == goal:
        said = f"{place} is at step {goal} already."
    else:
        said = f"{place} is at step {goal} now ({_migrated(settings, goal, alone=not only_adds)})."
    if as_json:
        print_json({"path": str(place), "before": before, "step": goal})
        return
    click.echo(said)


def _migrated(settings: "Settings", goal: str, *, alone: bool) -> str:
    """Bring the database to the step *goal*; return what was done."""
    from backend.adapters.storage.restore_point import point_for  # noqa: PLC0415 -- help does without
    from backend.util.locks import share_data_dir, take_data_dir_alone  # noqa: PLC0415 -- the same
    from backend.wiring_upgrade import bring_up_to_date  # noqa: PLC0415 -- the same

    # Nobody may work with tables that change below him.
    take = take_data_dir_alone if alone else share_data_dir
    lock = take(settings.agpt_data_dir)
    try:
        done = bring_up_to_date(settings, goal=goal)
    finally:
        lock.release()
    point = point_for(_place_of(settings).path, done.removeprefix("upgraded from "))
    is_kept = done.startswith("upgraded") and not settings.database_url and point.exists()
    return f"{done}; as it was: {point.name}" if is_kept else done


@database.command()
@json_option
@data_dir_option
def check(*, as_json: bool, data_dir: Path | None) -> None:
    """
    Check that the database file is whole and has the tables that this program needs.

    Reads all of it. Exit code 1: it is not as it must be. `agpt doctor` looks at what it says.
    """
    place = _place(data_dir)
    problems = list(problems_of(place, whole=True))
    if as_json:
        print_json({"path": str(place), "ok": not problems, "problems": problems})
    else:
        for problem in problems:
            click.echo(f"agpt: {problem}", err=True)
        if not problems:
            click.echo(f"{place} is whole and at step {step_of(place)}.")
    if problems:
        sys.exit(1)


@database.command()
@json_option
@data_dir_option
def compact(*, as_json: bool, data_dir: Path | None) -> None:
    """
    Write the database anew, without the room of what was deleted; the server must be stopped.

    A database that was made by version 0.1 gives room back by itself from then on. Needs as much
    free room as the database has, and about a second for each 40 MB.
    """
    from backend.adapters.storage.compact import write_anew  # noqa: PLC0415 -- help does without
    from backend.util.locks import take_data_dir_alone  # noqa: PLC0415 -- the same

    place = _place(data_dir)
    require_newest(place)
    if place.url:
        raise BadRequest("PostgreSQL gives room back by itself (autovacuum); at once: VACUUM FULL.")
    lock = take_data_dir_alone(place.path.parent)
    try:
        before, after = write_anew(place.path)
    finally:
        lock.release()
    if as_json:
        print_json({"path": str(place), "bytes_before": before, "bytes": after})
        return
    click.echo(f"{place} has {after / _MEGABYTE:.1f} MB now; it had {before / _MEGABYTE:.1f} MB.")


@database.command()
@json_option
@data_dir_option
def jobs(*, as_json: bool, data_dir: Path | None) -> None:
    """Print when each of the server's own jobs ran last, how long it took, and what it did."""
    from backend.adapters.storage.doctor import last_jobs  # noqa: PLC0415 -- help does without

    place = _place(data_dir)
    require_newest(place)
    found = last_jobs(place)
    if as_json:
        print_json([asdict(job) for job in found])
        return
    for job in found:
        ended = datetime.fromtimestamp(job.ended_us / 1e6, UTC).isoformat(" ", "seconds")
        took_s = (job.ended_us - job.started_us) / 1e6
        click.echo(f"{job.name}: {ended}, {took_s:.1f} s: {job.result}")
    if not found:
        click.echo("No job has run yet.")


@database.command()
@click.option("--broker", is_flag=True, required=True, help="What it has at the broker.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@data_dir_option
def drop(*, broker: bool, yes: bool, as_json: bool, data_dir: Path | None) -> None:  # noqa: ARG001 -- click: it must be said
    """
    Remove what this installation has at the broker, and forget its keys; all of it must be stopped.

    Runs and all else in the database stay: the broker has only hints. What starts next is a new
    installation there, with the keys that it is started with.
    """
    from backend.cli.leaving import leave_broker, whereabouts  # noqa: PLC0415 -- help does without

    place = whereabouts(overrides_of(data_dir))
    if not yes:
        question = f"Remove {place.prefix}* at {place.shown}, and forget the keys?"
        click.confirm(question, abort=True, err=True)
    leave_broker(place)
    if as_json:
        print_json({"broker": place.shown, "removed": f"{place.prefix}*"})
        return
    click.echo(f"{place.prefix}* is removed at {place.shown}.")


def step_of(where: Place | Path) -> str | None:
    """
    Return the step of the database at *where*; None if it is not there, or empty.

    Raises:
        Unavailable: If it is no database that can be read.
    """
    from backend.adapters.storage.doctor import reading  # noqa: PLC0415 -- help does without
    from backend.adapters.storage.migrate import current_version  # noqa: PLC0415 -- the same

    place = place_at(where)
    if not place.url and not place.path.exists():
        return None
    with reading(place) as connection:
        return current_version(connection)


def require_newest(where: Place | Path) -> None:
    """Raise NotFound or CannotStart if the database is not there or at another step."""
    if step_of(where) is None:
        raise _nothing_at(where)
    for problem in _step_problems(where):
        raise CannotStart(problem)


def problems_of(where: Place | Path, *, whole: bool) -> Iterator[str]:
    """
    Yield what is wrong with the database at *where*, a sentence each.

    Args:
        whole: Read all of it, which takes its time; else only what a start would trip over.

    Raises:
        NotFound: If it is not there.
        Unavailable: If it is no database that can be read.
    """
    from backend.adapters.storage.doctor import reading  # noqa: PLC0415 -- help does without

    if place_at(where).url and step_of(where) is None:
        raise _nothing_at(where)  # a new database is empty, as a file that is not there
    yield from _step_problems(where)
    with reading(where) as connection:
        yield from _missing(connection)
        if whole and connection.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(f"PRAGMA integrity_check({_MOST_WRONG})").scalars()
            yield from (f"SQLite finds: {row}." for row in rows if row != "ok")


def _nothing_at(where: Place | Path) -> NotFound:
    return NotFound(f"There is no database at {where}: no server has been started on it yet.")


def _step_problems(where: Place | Path) -> Iterator[str]:
    from backend.adapters.storage.migrate import HEAD, MOVED, UNFINISHED  # noqa: PLC0415 -- help does without

    step = step_of(where)
    if step == UNFINISHED:
        yield (
            f"The database {where} was being filled, and that was broken off: begin it again, with"
            " `agpt migrate --again` or `agpt restore --replace`."
        )
    elif step == MOVED:
        yield f"The rows of the database {where} have moved to another one; it must not be used."
    elif step is not None and step > HEAD:
        if _lets_in(where):
            return
        yield (
            f"The database {where} is at step {step}, made by a newer agpt-server; this one knows"
            f" steps up to {HEAD}: install the newer version, or restore a backup."
        )
    elif step != HEAD:
        at = "has no tables" if step is None else f"is at step {step}"
        yield f"The database {where} {at}; this program needs {HEAD}: `agpt db upgrade`."


def _lets_in(where: Place | Path) -> bool:
    """Say whether a database at a newer step can be worked on all the same: its steps only add."""
    from backend.adapters.storage.doctor import reading  # noqa: PLC0415 -- help does without
    from backend.adapters.storage.migrate import HEAD, needs_of  # noqa: PLC0415 -- the same

    with reading(where) as connection:
        needs = needs_of(connection)
    return needs is not None and needs <= HEAD


def _missing(connection: "Connection") -> Iterator[str]:
    from sqlalchemy import inspect  # noqa: PLC0415 -- help does without

    from backend.adapters.storage.schema import metadata  # noqa: PLC0415 -- the same

    found: Any = inspect(connection)
    there = set(found.get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in there:
            yield f"The table {table.name} is missing."
            continue
        columns = {column["name"] for column in found.get_columns(table.name)}
        for column in table.columns:
            if column.name not in columns:
                yield f"The column {column.name} of the table {table.name} is missing."


def _place(data_dir: Path | None) -> Place:
    return _place_of(_settings(data_dir))


def _place_of(settings: "Settings") -> Place:
    from backend.wiring import database_place  # noqa: PLC0415 -- `agpt --help` does without

    return database_place(settings)


def _settings(data_dir: Path | None) -> "Settings":
    from backend.settings import load_settings  # noqa: PLC0415 -- `agpt --help` does without

    return load_settings(overrides_of(data_dir))[0]
