"""`agpt notices`: which letters left, which did not and why, and what they look like."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from backend.cli import HyphenGroup
from backend.cli.options import json_option, print_json
from backend.cli.server import data_dir_option, overrides_of
from backend.core.notices import NoticeType

if TYPE_CHECKING:
    from backend.core.records import NoticeRecord
    from backend.services.notices import NoticeService

T = TypeVar("T")

_STATUSES: Final = ("queued", "sent", "failed", "dropped")
_TYPES: Final = tuple(kind.value for kind in NoticeType)
_type = click.Choice(_TYPES, case_sensitive=False)


@click.group(cls=HyphenGroup, name="notices")
def notices() -> None:
    """Show the queue of notices; send again what failed; see what letters look like."""


@notices.command(name="list")
@click.option("--status", type=click.Choice(_STATUSES), help="Only those that stand so.")
@click.option("--type", "kind", type=_type, help="Only those of this kind.")
@click.option("--user", "user_id", default="", help="Only those of this user's id.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@json_option
@data_dir_option
def list_(
    *,
    status: str | None,
    kind: str | None,
    user_id: str,
    limit: int,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Print the newest notices, newest first."""
    from backend.core.records import NoticeStatus  # noqa: PLC0415 -- help does without
    from backend.ports.notices import NoticeQuery  # noqa: PLC0415 -- the same

    query = NoticeQuery(
        status=NoticeStatus(status.upper()) if status else None,
        type=kind or "",
        user_id=user_id,
        limit=limit,
    )
    found = _with_notices(data_dir, lambda service: service.listed(query))
    if as_json:
        from backend.api.wire.notices import notice_form  # noqa: PLC0415 -- the same

        print_json([notice_form(one) for one in found])
        return
    for one in found:
        click.echo(_line(one))
    if not found:
        click.echo("There is no notice like that.")


@notices.command()
@click.argument("notice_id", metavar="ID")
@json_option
@data_dir_option
def show(*, notice_id: str, as_json: bool, data_dir: Path | None) -> None:
    """Print one notice with all that is in it."""
    from backend.api.wire.notices import notice_form  # noqa: PLC0415 -- help does without

    form = notice_form(_with_notices(data_dir, lambda service: service.get(notice_id)))
    if as_json:
        print_json(form)
        return
    for name, value in (*form.items(), *form.pop("data").items()):
        if name != "data" and value not in (None, ""):
            click.echo(f"{name}: {value}")


@notices.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@json_option
@data_dir_option
def bounces(*, limit: int, as_json: bool, data_dir: Path | None) -> None:
    """
    List addresses that refuse letters, and what was said; the last refusal first.

    One that has refused three in a row gets no more, until it changes or a notice is sent again
    with `agpt notices retry`.
    """
    found = _with_notices(data_dir, lambda service: service.bounced(limit=limit))
    if as_json:
        from backend.api.wire.notices import bounce_form  # noqa: PLC0415 -- help does without

        print_json([bounce_form(one) for one in found])
        return
    for one in found:
        state = "gets no more" if one.is_refused else f"refused {one.count}"
        click.echo(f"{_time(one.last_us)}  {state}  {one.address}: {one.error}")
    if not found:
        click.echo("No address has refused a letter.")


def _which(notice_id: str | None, *, failed: bool) -> str | None:
    if (notice_id is None) is not failed:
        raise click.UsageError("give the ID of a notice, or --failed")
    return notice_id


@notices.command()
@click.argument("notice_id", metavar="[ID]", required=False)
@click.option("--failed", is_flag=True, help="All that were given up.")
@json_option
@data_dir_option
def retry(*, notice_id: str | None, failed: bool, as_json: bool, data_dir: Path | None) -> None:
    """
    Send a notice again that was given up or dropped, with what failed in the same letter.

    Its address counts as one that takes letters again.
    """
    which = _which(notice_id, failed=failed)
    count = _with_notices(data_dir, lambda service: service.retry(which))
    _say(count, "queued", "will be sent again.", as_json=as_json)


@notices.command()
@click.argument("notice_id", metavar="[ID]", required=False)
@click.option("--failed", is_flag=True, help="All that were given up.")
@json_option
@data_dir_option
def drop(*, notice_id: str | None, failed: bool, as_json: bool, data_dir: Path | None) -> None:
    """Give up a notice that has not left; the doctor tells no more of those that failed."""
    which, because = _which(notice_id, failed=failed), "dropped by hand"
    count = _with_notices(data_dir, lambda service: service.dismiss(which, because=because))
    _say(count, "dropped", "will not be sent.", as_json=as_json)


@notices.command()
@click.argument("kind", metavar="TYPE", type=_type)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "html", "eml"]),
    default="text",
    show_default=True,
    help="eml: as it goes to the mail server.",
)
@data_dir_option
def preview(*, kind: str, form: str, data_dir: Path | None) -> None:
    """
    Print a letter of a kind, about made-up things; with your templates, if there are any.

    Kinds are AGENT_RUN, ZERO_BALANCE, LOW_BALANCE, BLOCK_EXECUTION_FAILED,
    CONTINUOUS_AGENT_ERROR, DAILY_SUMMARY, WEEKLY_SUMMARY, MONTHLY_SUMMARY, REFUND_REQUEST,
    REFUND_PROCESSED, AGENT_APPROVED and AGENT_REJECTED.
    """
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- help does without
    from backend.adapters.mail import as_message  # noqa: PLC0415 -- the same
    from backend.settings import load_settings  # noqa: PLC0415 -- the same
    from backend.wiring_notices import sample_letter  # noqa: PLC0415 -- the same

    settings = load_settings(overrides_of(data_dir))[0]
    letter = sample_letter(settings, NoticeType(kind), SystemClock().now_us())
    match form:
        case "html":
            click.echo(letter.html)
        case "eml":
            sys.stdout.buffer.write(as_message(letter, sender=settings.smtp_sender).as_bytes())
        case _:
            click.echo(f"Subject: {letter.subject}\n\n{letter.text}", nl=False)


def _say(count: int, name: str, words: str, *, as_json: bool) -> None:
    if as_json:
        print_json({name: count})
    else:
        click.echo(f"{count} {'notice' if count == 1 else 'notices'} {words}")


def _time(at_us: int) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415 -- help does without

    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _line(notice: "NoticeRecord") -> str:
    at = _time(notice.created_us)
    about = str(notice.data.get("agent_name") or notice.data.get("period") or "")[:60]
    what = f" {' '.join(about.split())}" if about else ""
    why = f": {notice.error}" if notice.error else ""
    return f"{at}  {notice.status.value.lower():7}  {notice.type}{what}  {notice.id}{why}"


def _with_notices(data_dir: Path | None, work: "Callable[[NoticeService], Awaitable[T]]") -> T:
    """Return what *work* does with the queue, beside a running server or without one."""
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- help does without
    from backend.cli.database import require_newest  # noqa: PLC0415 -- the same
    from backend.settings import load_settings  # noqa: PLC0415 -- the same
    from backend.wiring import database_place, open_database  # noqa: PLC0415 -- the same
    from backend.wiring_notices import notices_of  # noqa: PLC0415 -- the same

    settings = load_settings(overrides_of(data_dir))[0]
    require_newest(database_place(settings))

    async def done() -> Any:
        storage = open_database(settings)
        try:
            return await work(notices_of(settings, storage, SystemClock()))
        finally:
            await storage.close()

    result: T = asyncio.run(done())
    return result
