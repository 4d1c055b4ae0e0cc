"""`agpt backup` and `agpt restore`: rows and files in one archive, made while the server runs."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from backend.cli.options import json_option, print_json
from backend.cli.server import data_dir_option, overrides_of

if TYPE_CHECKING:
    from backend.adapters.moving.archive import Manifest
    from backend.adapters.moving.restore import Restored
    from backend.settings import Settings

_MEGABYTE: Final = 1_000_000
#: More often nobody can read what is said about the way.
_TELL_S: Final = 1.0


@click.command()
@click.argument("where", type=click.Path(path_type=Path))
@click.option(
    "--with-keys", is_flag=True, help="The keys too: who has the archive has the secrets."
)
@click.option(
    "--without-bucket", is_flag=True, help="Not the files that lie in a bucket (FILES_URL)."
)
@json_option
@data_dir_option
def backup(
    *, where: Path, with_keys: bool, without_bucket: bool, as_json: bool, data_dir: Path | None
) -> None:
    """
    Write all rows and files, of a bucket too, into one archive, and read it back; the server may run.

    WHERE is the file, which must not be there yet, or a folder: then the file is named by the time.
    Without --with-keys the archive has no keys, and what users keep secret in it opens only with
    those of this installation: keep the folder `keys` of the data directory, or ENCRYPTION_KEY, in
    another safe place.
    """
    from backend.adapters.moving.backup import Wanted, back_up  # noqa: PLC0415 -- help does without
    from backend.settings import load_settings  # noqa: PLC0415 -- the same
    from backend.wiring import database_place  # noqa: PLC0415 -- the same
    from backend.wiring_files import bucket_tree  # noqa: PLC0415 -- the same

    settings, _ = load_settings(overrides_of(data_dir))
    now_us = _now_us()
    if where.is_dir():
        moment = datetime.fromtimestamp(now_us / 1e6, UTC)
        where = where / f"agpt-{moment:%Y%m%dT%H%M%SZ}.tar"
    wanted = Wanted(
        place=database_place(settings),
        data_dir=settings.agpt_data_dir,
        key=key_of(settings),
        with_keys=with_keys,
        now_us=now_us,
        bucket=bucket_tree(settings),
        leaves_bucket=without_bucket and bool(settings.files_url),
    )
    made = back_up(wanted, where.absolute(), progress())
    size = where.stat().st_size
    if wanted.leaves_bucket:
        click.echo(f"Files of users and runs lie in {settings.files_url}: not in it.", err=True)
    if as_json:
        print_json({"path": str(where.absolute()), "bytes": size, **_facts(made)})
        return
    click.echo(
        f"{where} holds {made.rows:,} rows and {made.files:,} files, {size / _MEGABYTE:,.1f} MB,"
        f" read back and whole; {'the keys are in it' if with_keys else 'the keys are not in it'}."
    )


@click.command()
@click.argument("archive", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--check", "only_checks", is_flag=True, help="Read the archive, and change nothing.")
@click.option("--replace", "replaces", is_flag=True, help="In the place of what is there.")
@click.option("--yes", is_flag=True, help="With --replace: do not ask.")
@json_option
@data_dir_option
def restore(
    *,
    archive: Path,
    only_checks: bool,
    replaces: bool,
    yes: bool,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """
    Put an archive of `agpt backup` back; the server must be stopped, and there must be nothing yet.

    Reads all of it first: one that is cut, damaged or of somebody else changes nothing. It may come
    from the other kind of database: rows go where DATABASE_URL says, and files into the bucket of
    FILES_URL, or the data directory. With
    --replace, files and the SQLite file that are there go into a folder `replaced-…` of the data
    directory; rows that are in PostgreSQL go; files that are in the bucket stay.

    Runs that had not ended go on when the server starts, and schedules fire: also those of an
    installation that still runs elsewhere.
    """
    from backend.adapters.moving.archive_reader import verify  # noqa: PLC0415 -- help does without
    from backend.settings import load_settings  # noqa: PLC0415 -- the same

    if only_checks:
        found = verify(archive, progress())
        if as_json:
            print_json({"path": str(archive), **_facts(found)})
        else:
            click.echo(f"{archive} is whole: {found.rows:,} rows and {found.files:,} files.")
        return
    settings, _ = load_settings(overrides_of(data_dir))
    if replaces and not yes:
        where = _where(settings)
        click.confirm(f"Put the backup in the place of what is in {where}?", abort=True, err=True)
    done = _restored(settings, archive, replaces=replaces)
    _say_restored(settings, archive, done, as_json=as_json)


def _restored(settings: "Settings", archive: Path, *, replaces: bool) -> "Restored":
    from backend.adapters.moving.restore import Wish  # noqa: PLC0415 -- help does without
    from backend.adapters.moving.restore import restore as put_back  # noqa: PLC0415 -- the same
    from backend.util.locks import take_data_dir_alone  # noqa: PLC0415 -- the same
    from backend.wiring import database_place  # noqa: PLC0415 -- the same
    from backend.wiring_files import bucket_tree  # noqa: PLC0415 -- the same

    lock = take_data_dir_alone(settings.agpt_data_dir)
    try:
        wish = Wish(
            archive=archive.absolute(),
            place=database_place(settings),
            data_dir=settings.agpt_data_dir,
            replaces=replaces,
            now_us=_now_us(),
            bucket=bucket_tree(settings),
        )
        return put_back(wish, progress())
    finally:
        lock.release()


def _say_restored(settings: "Settings", archive: Path, done: "Restored", *, as_json: bool) -> None:
    from backend.settings import load_settings  # noqa: PLC0415 -- help does without

    manifest = done.manifest
    # Read anew: the keys may have come out of the archive.
    now, _ = load_settings({"agpt_data_dir": str(settings.agpt_data_dir)})
    fits = manifest.header.get("key") == key_of(now)
    if as_json:
        print_json(
            {
                "place": _where(settings),
                **_facts(manifest),
                "replaced": None if done.aside is None else str(done.aside),
                "rows_without_nul": done.changed,
                "key_fits": fits,
            }
        )
        return
    if done.aside is not None:
        click.echo(f"What was there before lies in {done.aside}.", err=True)
    if done.changed:
        click.echo(
            f"{done.changed:,} rows had a NUL in a text, which PostgreSQL cannot keep: U+FFFD stands"
            " in its place.",
            err=True,
        )
    if manifest.header.get("without_bucket"):
        where = settings.files_url or f"the folder `files` of {settings.agpt_data_dir}"
        click.echo(
            f"Files of users and runs are not in it: they are expected in {where}. `agpt doctor` says"
            " what is missing.",
            err=True,
        )
    if not fits:
        click.echo(
            "Secrets in it do not open with the key here: before the start, put the folder `keys` of"
            f" the old data directory into {settings.agpt_data_dir}, or set its ENCRYPTION_KEY.",
            err=True,
        )
    click.echo(
        f"{archive} is restored to {_where(settings)}: {manifest.rows:,} rows and"
        f" {manifest.files:,} files, read back and as they were."
    )


def key_of(settings: "Settings") -> str:
    """Return what tells the newest key that seals secrets from others; it is not the key."""
    from backend.adapters.vault import fingerprint, keys_in  # noqa: PLC0415 -- help does without

    return fingerprint(keys_in(settings.encryption_key.get_secret_value())[0])


def progress() -> Callable[[str], None]:
    """Return what says on standard error how far work is: a line a second, or one on a terminal."""
    last_s = time.monotonic()
    is_terminal = sys.stderr.isatty()

    def say(what: str) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s < _TELL_S:
            return
        last_s = now_s
        # Back to the begin of the line: what is said next, longer than this, stands in its place.
        click.echo(f"\x1b[K{what}\r" if is_terminal else what, err=True, nl=not is_terminal)

    return say


def _facts(manifest: "Manifest") -> dict[str, object]:
    made = datetime.fromtimestamp(manifest.header["made_us"] / 1e6, UTC)
    return {
        "made": made.isoformat(),
        "program": manifest.header["program"],
        "step": manifest.step,
        "database": manifest.header["database"],
        "rows": manifest.rows,
        "files": manifest.files,
        "has_keys": manifest.has_keys,
    }


def _where(settings: "Settings") -> str:
    from backend.wiring import database_place  # noqa: PLC0415 -- help does without

    return str(database_place(settings))


def _now_us() -> int:
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- help does without

    return SystemClock().now_us()
