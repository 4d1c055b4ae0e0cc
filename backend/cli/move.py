"""`agpt migrate`: takes an installation from one database to another, and stops it for a moment only."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from backend.adapters.database_place import Place
from backend.cli.backup import progress
from backend.cli.options import json_option, print_json
from backend.cli.server import data_dir_option, overrides_of
from backend.core.errors import AgentServerError, BadRequest

if TYPE_CHECKING:
    from backend.adapters.moving.move import Move
    from backend.cli.switch import Switched
    from backend.settings import Settings

_SQLITE: Final = "sqlite:"


@click.command()
@click.option("--to", "address", required=True, help="postgresql://…, or `sqlite:` for the file.")
@click.option("--switch", "switches", is_flag=True, help="Stop, set DATABASE_URL, start again.")
@click.option("--broker", default="", help="With --switch: amqp://…, set as RABBITMQ_URL too.")
@click.option("--again", is_flag=True, help="In the place of an earlier copy of this installation.")
@json_option
@data_dir_option
def migrate(
    *,
    address: str,
    switches: bool,
    broker: str,
    again: bool,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """
    Copy all rows into another database, in which there is nothing yet; the server may run.

    Almost all is copied while it runs, and again what changes meanwhile. With --switch the background
    server is then stopped, the last rows are copied and checked, DATABASE_URL is written into
    `config.json` of the data directory, and the server is started again: a few seconds. Without
    --switch the command waits until somebody has stopped the server, and says what is to be set.
    Files and keys stay where they are. If it fails, or is killed, `agpt start` starts the server on
    one of the two, whole: call it again.
    """
    from backend.adapters.moving.move import Move  # noqa: PLC0415 -- help does without
    from backend.settings import load_settings  # noqa: PLC0415 -- the same
    from backend.wiring import database_path, database_place  # noqa: PLC0415 -- the same

    settings, sources = load_settings(overrides_of(data_dir))
    target = Place(database_path(settings), "" if address == _SQLITE else address)
    source = database_place(settings)
    if target == source:
        raise BadRequest(
            f"{source} is where the rows are already; `agpt start` starts the server on it."
        )
    move = Move(source=source, target=target, data_dir=settings.agpt_data_dir, again=again)
    if switches:
        from backend.cli.switching import require_changeable  # noqa: PLC0415 -- help does without

        for name in ("database_url", "rabbitmq_url"):
            require_changeable(settings, sources, name)
    _require_broker(broker, move, switches=switches)
    done = _moved(settings, move, broker, switches=switches)
    _say(move, done, switches=switches, as_json=as_json)


def _require_broker(broker: str, move: "Move", *, switches: bool) -> None:
    """Refuse a broker that would not be used, or does not answer."""
    if not broker:
        return
    if not switches or not move.target.url:
        raise BadRequest("--broker goes with --switch and a database of PostgreSQL.")
    from backend.adapters.broker.address import check_address  # noqa: PLC0415 -- only where one is set
    from backend.adapters.broker.tidy import check  # noqa: PLC0415 -- the same

    check_address(broker)
    asyncio.run(check(broker))


def _moved(settings: "Settings", move: "Move", broker: str, *, switches: bool) -> "Switched":
    from backend.adapters.moving.move import check_source, copy_running  # noqa: PLC0415 -- help does without
    from backend.cli.switch import Switch  # noqa: PLC0415 -- the same
    from backend.util.locks import take_service  # noqa: PLC0415 -- the same
    from backend.wiring_upgrade import MOVE  # noqa: PLC0415 -- the same

    alone = take_service(settings.agpt_data_dir, MOVE)
    try:
        say = progress()
        copied = copy_running(move, say)
        done = Switch(settings, move, copied, broker=broker, switches=switches).made(say)
        old = move.source if done.aside is None else Place(done.aside)
        check_source(old, copied, say)
        _leave_old_broker(settings, move, switches=switches)
        return done
    finally:
        alone.release()


def _leave_old_broker(settings: "Settings", move: "Move", *, switches: bool) -> None:
    """Remove from the broker what nobody uses there after a move back into the file."""
    if not switches or move.target.url or not settings.rabbitmq_url:
        return
    from backend.adapters.broker.names import Names  # noqa: PLC0415 -- only where one is set
    from backend.adapters.storage.cluster import installation_at  # noqa: PLC0415 -- the same
    from backend.cli.leaving import Whereabouts, leave_broker  # noqa: PLC0415 -- the same

    try:
        installation = installation_at(move.source.url)
        if installation is not None:
            place = Whereabouts(settings.rabbitmq_url, move.source.url, Names(installation))
            leave_broker(place)
    except AgentServerError as exc:
        click.echo(f"agpt: queues are left at the broker, which nobody uses: {exc}", err=True)


def _say(move: "Move", done: "Switched", *, switches: bool, as_json: bool) -> None:
    copied = done.copied
    if as_json:
        print_json(
            {
                "from": str(move.source),
                "to": str(move.target),
                "rows": copied.rows,
                "changed_meanwhile": copied.noted,
                "changed_at_last": done.last,
                "rows_without_nul": copied.changed,
                "drain_s": round(done.drain_s, 2),
                "stop_s": round(done.stop_s, 2),
                "copy_s": round(done.copy_s, 2),
                "start_s": round(done.start_s, 2),
                "switched": switches,
                "started": done.is_started,
                "aside": None if done.aside is None else str(done.aside),
            }
        )
        return
    if copied.changed:
        click.echo(
            f"{copied.changed:,} rows had a NUL in a text, which PostgreSQL cannot keep: U+FFFD stands"
            " in its place.",
            err=True,
        )
    if done.aside is not None:
        click.echo(
            f"The old file is {done.aside} now; delete it when you do not need it.", err=True
        )
    what = f"{copied.rows:,} rows are in {move.target}, checked; {copied.noted:,} changed meanwhile"
    if switches:
        served = "the server runs on it" if done.is_started else "`agpt start` runs on it"
        click.echo(f"{what}; {served}, after {done.stop_s:.1f} s.")
        return
    setting = "unset DATABASE_URL" if not move.target.url else "set DATABASE_URL to its address"
    click.echo(f"{what}. Before the next start, {setting}.")
