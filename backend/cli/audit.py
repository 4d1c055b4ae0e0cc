"""`agpt audit`: who changed what, and whether anybody has changed the log."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from backend.cli import HyphenGroup
from backend.cli.options import json_option, print_json
from backend.cli.server import data_dir_option
from backend.cli.storage import with_storage
from backend.core.errors import BadRequest

if TYPE_CHECKING:
    from backend.core.audit import Head
    from backend.ports.audit import Audited, AuditLog

T = TypeVar("T")


@click.group(cls=HyphenGroup, name="audit")
def audit() -> None:
    """Show the audit log; check that nobody has changed it."""


@audit.command(name="list")
@click.option("--who", default="", help="Only what this user, or account, did.")
@click.option("--verb", default="", help="Only this: create, change, delete, read_secret, …")
@click.option("--kind", default="", help="Only things of this kind: graph, preset, credentials, …")
@click.option("--object", "object_id", default="", help="Only the thing of this id.")
@click.option("--before", type=click.IntRange(0), help="Only rows before this number.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@json_option
@data_dir_option
def list_(*, as_json: bool, data_dir: Path | None, **wanted: Any) -> None:
    """Print the newest rows, newest first."""
    from backend.ports.audit import AuditQuery  # noqa: PLC0415 -- help does without

    query = AuditQuery(**wanted)
    found = _with_log(data_dir, lambda log: log.listed(query))
    if as_json:
        from backend.api.wire.audit import audit_form  # noqa: PLC0415 -- help does without

        print_json([audit_form(row) for row in found])
        return
    for row in found:
        click.echo(_line(row))
    if not found:
        click.echo("Nothing like that is in the audit log.")


@audit.command()
@click.option(
    "--head", "kept", help="What an earlier check printed as the head, or a file with it."
)
@json_option
@data_dir_option
def verify(*, kept: str | None, as_json: bool, data_dir: Path | None) -> None:
    """
    Check that rows were neither changed, nor put in, nor taken away, but by retention.

    Prints the head: the number and the hash of the last row. Keep it where nobody who can write
    the database can write, and give it to a later check: only so it shows when rows were cut off
    the end, or all of it was written anew. Exit code 1: the chain does not hold.
    """
    before = None if kept is None else _head_of(kept)
    head = _with_log(data_dir, lambda log: log.head())
    breaks = _with_log(data_dir, lambda log: log.verify(before))
    if as_json:
        said = [{"seq": one.seq, "problem": one.detail} for one in breaks]
        print_json({"ok": not breaks, "head": head and str(head), "problems": said})
    else:
        for one in breaks:
            click.echo(f"agpt: row {one.seq}: {one.detail}", err=True)
        if not breaks:
            click.echo(f"The audit log holds; its head is {head}." if head else "It is empty.")
    if breaks:
        sys.exit(1)


def _head_of(text: str) -> "Head":
    from backend.core.audit import Head  # noqa: PLC0415 -- help does without

    try:
        # A head has a colon and 64 digits; whatever else it is, it is the name of a file.
        return Head.parse(text)
    except ValueError:
        pass
    try:
        return Head.parse(Path(text).read_text("utf-8"))
    except ValueError as exc:
        raise BadRequest(f"{text!r} holds no head: {exc}.") from exc


def _line(row: "Audited") -> str:
    from datetime import UTC, datetime  # noqa: PLC0415 -- help does without

    entry, actor = row.entry, row.entry.actor
    at = datetime.fromtimestamp(entry.at_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    who = actor.who or "the server"
    acts = f" for {actor.acting_for}" if actor.acting_for else ""
    where = f" from {actor.address}" if actor.address else ""
    what = f"{entry.verb} {entry.kind} {entry.object_id}".rstrip()
    facts = "".join(f" {name}={value}" for name, value in entry.facts.items())
    came = "" if entry.outcome == "done" else f" ({entry.outcome.value})"
    return f"{row.seq}  {at}  {who}{acts} by {actor.by.value}{where}: {what}{facts}{came}"


def _with_log(data_dir: Path | None, work: "Callable[[AuditLog], Awaitable[T]]") -> T:
    """Return what *work* does with the log, beside a running server or without one."""
    from backend.adapters.storage.audit_log import SqlAuditLog  # noqa: PLC0415 -- see above

    return with_storage(data_dir, lambda _, storage: work(SqlAuditLog(storage.database)))
