"""`agpt channels`: where notices go beside mail; with a server or without."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from backend.cli import HyphenGroup
from backend.cli.options import json_option, print_json
from backend.cli.recorded import recorded
from backend.cli.server import data_dir_option, overrides_of
from backend.core.errors import BadRequest, Unavailable
from backend.core.ids import DEFAULT_USER_ID, ChannelId, UserId

if TYPE_CHECKING:
    from backend.services.notice_channels import ChannelService

T = TypeVar("T")

_KINDS: Final = ("webhook", "slack", "discord", "telegram", "ntfy")
_user_option = click.option(
    "--user", default=DEFAULT_USER_ID, help="Whose; the owner's if not given."
)


@click.group(cls=HyphenGroup)
def channels() -> None:
    """List, add, try out and remove channels of notices."""


@channels.command(name="list")
@_user_option
@json_option
@data_dir_option
def list_(*, user: str, as_json: bool, data_dir: Path | None) -> None:
    """List the channels of a user, or the owner's, and how they go."""
    found = _with_service(data_dir, lambda service: service.listed(UserId(user)))
    if as_json:
        from backend.api.wire.notifications import channel_form  # noqa: PLC0415 -- help does without

        print_json([channel_form(one) for one in found])
        return
    if not found:
        click.echo("There is no channel.")
    for made in found:
        one = made.channel
        state = "on" if one.enabled else "off"
        waiting = f", {made.waiting} waiting" if made.waiting else ""
        error = f": {one.error}" if one.error else ""
        click.echo(f"{one.id}  {one.kind.value}  {one.name}  {one.hint}  {state}{waiting}{error}")


@channels.command()
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("config", nargs=-1, required=True, metavar="NAME=VALUE...")
@click.option("--name", default="", help="What you call it.")
@click.option(
    "--type", "types", multiple=True, help="A kind of notices; again for more. All if none."
)
@click.option("--all-runs", is_flag=True, help="Also of runs that went well.")
@_user_option
@json_option
@data_dir_option
def add(
    *,
    kind: str,
    config: tuple[str, ...],
    name: str,
    types: tuple[str, ...],
    all_runs: bool,
    user: str,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    r"""
    Add a channel: what leads there is sealed, and shown to nobody again.

    \b
    agpt channels add webhook url=https://example.com/hook
    agpt channels add slack url=https://hooks.slack.com/services/…
    agpt channels add discord url=https://discord.com/api/webhooks/…
    agpt channels add telegram token=123456:… chat_id=-10042
    agpt channels add ntfy topic=mine
    """
    from backend.core.notice_channels import ChannelKind, RunsWanted  # noqa: PLC0415 -- help does without

    with recorded("create", "notification_channel", user=user):
        made = _with_service(
            data_dir,
            lambda service: service.add(
                UserId(user),
                ChannelKind(kind),
                _pairs(config),
                name=name,
                types=types or None,
                runs=RunsWanted.ALL if all_runs else RunsWanted.PROBLEMS,
            ),
        )
    if as_json:
        from backend.api.wire.notifications import channel_form  # noqa: PLC0415 -- help does without

        print_json(channel_form(made))
        return
    click.echo(f"{made.channel.id}  {kind}  {made.channel.name}  {made.channel.hint}")
    if made.secret:
        click.echo(f"It is signed with {made.secret}; this is shown only now.")


@channels.command()
@click.argument("channel_id")
@_user_option
@json_option
@data_dir_option
def test(*, channel_id: str, user: str, as_json: bool, data_dir: Path | None) -> None:
    """Send a message now, and say what the service said."""
    from backend.api.wire.notifications import outcome_form  # noqa: PLC0415 -- help does without

    outcome = _with_service(
        data_dir, lambda service: service.test(UserId(user), ChannelId(channel_id))
    )
    told = outcome_form(outcome)
    if as_json:
        print_json(told)
    if not told["delivered"]:
        raise Unavailable(f"It was not delivered: {told['said']}")
    if not as_json:
        click.echo(f"delivered: {told['status']} {told['said']}".rstrip())


@channels.command()
@click.argument("channel_id")
@_user_option
@json_option
@data_dir_option
def rm(*, channel_id: str, user: str, as_json: bool, data_dir: Path | None) -> None:
    """Remove a channel with all that waits for it."""
    with recorded("delete", "notification_channel", channel_id, user=user):
        _with_service(data_dir, lambda service: service.remove(UserId(user), ChannelId(channel_id)))
    if as_json:
        print_json({"removed": channel_id})
        return
    click.echo(f"{channel_id}: removed")


def _pairs(config: tuple[str, ...]) -> dict[str, str]:
    values = {}
    for text in config:
        name, mark, value = text.partition("=")
        if not mark:
            raise BadRequest(
                f"{text!r} is no NAME=VALUE; write it like url=https://example.com/hook"
            )
        values[name] = value
    return values


def _with_service(data_dir: Path | None, work: "Callable[[ChannelService], Awaitable[T]]") -> T:
    from backend.adapters.web import GuardedWebClient  # noqa: PLC0415 -- help does without
    from backend.cli.database import require_newest  # noqa: PLC0415 -- the same
    from backend.settings import load_settings  # noqa: PLC0415 -- the same
    from backend.wiring import database_place, open_database  # noqa: PLC0415 -- the same
    from backend.wiring_channels import channels_of  # noqa: PLC0415 -- the same

    settings, _ = load_settings(overrides_of(data_dir))
    require_newest(database_place(settings))

    async def run() -> T:
        async with AsyncExitStack() as stack:
            storage = open_database(settings)
            stack.push_async_callback(storage.close)
            web = GuardedWebClient(settings.trust_endpoints_for_requests)
            stack.push_async_callback(web.aclose)
            return await work(channels_of(settings, storage, web))

    return asyncio.run(run())
