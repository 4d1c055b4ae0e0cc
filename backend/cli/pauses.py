"""`agpt pause`, `agpt resume`, `agpt pauses`: an operator holds a run, a graph or everything."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from backend.cli.options import json_option, print_json
from backend.cli.recorded import recorded
from backend.cli.server import data_dir_option
from backend.cli.storage import with_storage
from backend.core.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from backend.adapters.storage import SqlStorage

T = TypeVar("T")

_what = click.argument("what", type=click.Choice(["run", "graph", "server"]))
_id = click.argument("id_", metavar="[ID]", default="")


@click.command()
@_what
@_id
@click.option("--reason", help="Shown to whoever asks why it does not move.")
@json_option
@data_dir_option
def pause(*, what: str, id_: str, reason: str | None, as_json: bool, data_dir: Path | None) -> None:
    """
    Let a run, all runs of a graph, or the whole server begin nothing more.

    Steps that are at work come to their end. What is paused keeps its place over restarts, and can
    be stopped. New runs are accepted, and wait.
    """
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- help does without
    from backend.core.records import Hold, HoldKind  # noqa: PLC0415 -- the same

    new = Hold(
        kind=HoldKind(what),
        id=_checked(what, id_),
        reason=reason,
        created_us=SystemClock().now_us(),
    )
    with recorded("pause", what, id_):
        made = _with_storage(data_dir, lambda storage: storage.hold(new))
    if as_json:
        print_json({"kind": what, "id": id_ or None, "paused": True, "was_paused": not made})
        return
    click.echo(f"{_named(what, id_)} is paused{'' if made else ' already'}.")


@click.command()
@_what
@_id
@json_option
@data_dir_option
def resume(*, what: str, id_: str, as_json: bool, data_dir: Path | None) -> None:
    """Let what `agpt pause` holds go on."""
    from backend.core.records import HoldKind  # noqa: PLC0415 -- help does without

    _checked(what, id_)
    with recorded("resume", what, id_):
        was_paused = _with_storage(data_dir, lambda storage: storage.let_go(HoldKind(what), id_))
    if not was_paused:
        raise NotFound(f"{_named(what, id_)} is not paused; `agpt pauses` lists what is.")
    if as_json:
        print_json({"kind": what, "id": id_ or None, "paused": False})
        return
    click.echo(f"{_named(what, id_)} goes on.")


@click.command()
@json_option
@data_dir_option
def pauses(*, as_json: bool, data_dir: Path | None) -> None:
    """List what is paused, oldest first."""
    from datetime import UTC, datetime  # noqa: PLC0415 -- help does without

    found = _with_storage(data_dir, lambda storage: storage.holds())
    if as_json:
        print_json(
            [
                {
                    "kind": one.kind.value,
                    "id": one.id or None,
                    "reason": one.reason,
                    "since": datetime.fromtimestamp(one.created_us / 1e6, UTC).isoformat(),
                }
                for one in found
            ]
        )
        return
    if not found:
        click.echo("Nothing is paused.")
    for one in found:
        since = datetime.fromtimestamp(one.created_us / 1e6, UTC).isoformat(timespec="seconds")
        why = f": {one.reason}" if one.reason else ""
        click.echo(f"{_named(one.kind.value, one.id)}, since {since}{why}")


def _checked(what: str, id_: str) -> str:
    if (what == "server") == bool(id_):
        raise BadRequest(
            "the whole server has no id" if id_ else f"which {what}? Give its id after `{what}`."
        )
    return id_


def _named(what: str, id_: str) -> str:
    return "the server" if what == "server" else f"{what} #{id_}"


def _with_storage(data_dir: Path | None, work: "Callable[[SqlStorage], Awaitable[T]]") -> T:
    """Return what *work* does with the database, beside a running server or without one."""
    return with_storage(data_dir, lambda _, storage: work(storage))
