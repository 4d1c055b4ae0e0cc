"""`agpt key`: the API keys of a user, made and taken back beside a running server or without one."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from backend.cli import HyphenGroup
from backend.cli.options import json_option, print_json
from backend.cli.recorded import recorded
from backend.cli.server import data_dir_option, seconds_of
from backend.cli.storage import with_storage
from backend.core.errors import NotFound
from backend.core.ids import DEFAULT_USER_ID, ApiKeyId, UserId
from backend.core.permissions import Permission

if TYPE_CHECKING:
    from backend.adapters.storage import SqlStorage
    from backend.services.api_keys import ApiKeyService, ShownKey

T = TypeVar("T")

user_option = click.option(
    "--user",
    default=DEFAULT_USER_ID,
    metavar="ID",
    help="Whose they are; without it, the owner's of this server.",
)


@click.group(cls=HyphenGroup)
def key() -> None:
    """Make, list, rotate and revoke API keys. The server need not run; if it does, it knows at once."""


@key.command()
@click.argument("name")
@click.option(
    "-p",
    "--permission",
    "permissions",
    multiple=True,
    required=True,
    type=click.Choice([*Permission, "ALL"], case_sensitive=False),
    help="What it may do; give it several times for several, or ALL.",
)
@click.option("--ttl", help="It is over then: a number and s, m, h or d. Without it, never.")
@click.option("--description", help="For whoever sees it in a list.")
@user_option
@json_option
@data_dir_option
def add(
    *,
    name: str,
    permissions: tuple[str, ...],
    ttl: str | None,
    description: str | None,
    user: str,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Make the key NAME and print it. It is not kept: nobody can print it again."""
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- help does without
    from backend.services.api_keys import NewApiKey  # noqa: PLC0415 -- the same

    expires_us = None
    if ttl is not None:
        expires_us = SystemClock().now_us() + seconds_of(ttl) * 1_000_000
    scopes = list(Permission) if "ALL" in permissions else [Permission(one) for one in permissions]
    new = NewApiKey(name=name, description=description, scopes=scopes, expires_us=expires_us)

    async def made(storage: "SqlStorage", keys: "ApiKeyService") -> "ShownKey":
        if not await storage.user_exists(UserId(user)):
            raise NotFound(f"There is no user #{user}.")
        return await keys.create(UserId(user), new)

    with recorded("create", "api_key", user=user):
        shown = _with_keys(data_dir, made)
    _print_shown(shown, as_json=as_json)


@key.command(name="list")
@user_option
@json_option
@data_dir_option
def list_(*, user: str, as_json: bool, data_dir: Path | None) -> None:
    """List the keys of a user, newest first."""
    from backend.api.wire.api_keys import api_key_info  # noqa: PLC0415 -- help does without

    found = _with_keys(data_dir, lambda _, keys: keys.listed(UserId(user)))
    forms = [api_key_info(one) for one in found]
    if as_json:
        print_json(forms)
        return
    if not forms:
        click.echo("There are no keys.", err=True)
    for one in forms:
        until = f"  until {one['expires_at']}" if one["expires_at"] else ""
        used = f"  last used {one['last_used_at']}" if one["last_used_at"] else ""
        click.echo(
            f"key {one['id']}  {one['head']}…{one['tail']}  {one['status']}{until}{used}  "
            f"{','.join(one['scopes']) or 'nothing'}  {one['name']}"
        )


@key.command()
@click.argument("key_id")
@click.option("--grace", help="What it was before goes on so long: a number and s, m, h or d.")
@user_option
@json_option
@data_dir_option
def rotate(
    *, key_id: str, grace: str | None, user: str, as_json: bool, data_dir: Path | None
) -> None:
    """Give the key KEY_ID another text and print it."""
    grace_s = 0 if grace is None else seconds_of(grace)
    with recorded("rotate", "api_key", key_id, user=user):
        shown = _with_keys(
            data_dir, lambda _, keys: keys.rotate(UserId(user), ApiKeyId(key_id), grace_s=grace_s)
        )
    _print_shown(shown, as_json=as_json)


@key.command()
@click.argument("key_id")
@user_option
@json_option
@data_dir_option
def revoke(*, key_id: str, user: str, as_json: bool, data_dir: Path | None) -> None:
    """Take the key KEY_ID back for ever. The next request with it is refused."""
    from backend.api.wire.api_keys import api_key_info  # noqa: PLC0415 -- help does without
    from backend.core.api_keys import ApiKeyStatus  # noqa: PLC0415 -- the same

    with recorded("revoke", "api_key", key_id, user=user):
        revoked = _with_keys(
            data_dir,
            lambda _, keys: keys.set_status(UserId(user), ApiKeyId(key_id), ApiKeyStatus.REVOKED),
        )
    if as_json:
        print_json(api_key_info(revoked))
        return
    click.echo(f"The key {revoked.name} is revoked.")


def _print_shown(shown: "ShownKey", *, as_json: bool) -> None:
    from backend.api.wire.api_keys import shown_key  # noqa: PLC0415 -- help does without

    if as_json:
        print_json(shown_key(shown))
    else:
        # Alone on its line, so that `KEY=$(agpt key add …)` has it.
        click.echo(shown.text)


def _with_keys(
    data_dir: Path | None, work: "Callable[[SqlStorage, ApiKeyService], Awaitable[T]]"
) -> T:
    """Return what *work* does with the database, beside a running server or without one."""
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- help does without
    from backend.wiring_keys import api_keys_of  # noqa: PLC0415 -- the same

    return with_storage(
        data_dir, lambda _, storage: work(storage, api_keys_of(storage, SystemClock()))
    )
