"""`agpt oauth-app`: apps of others that users may let in, made and switched off by an operator."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from backend.cli import HyphenGroup
from backend.cli.keys import user_option
from backend.cli.options import json_option, print_json
from backend.cli.recorded import recorded
from backend.cli.server import data_dir_option
from backend.cli.storage import with_storage
from backend.core.errors import NotFound
from backend.core.ids import OAuthAppId, UserId
from backend.core.permissions import Permission

if TYPE_CHECKING:
    from backend.adapters.storage import SqlStorage
    from backend.core.oauth import OAuthApp
    from backend.services.oauth_apps import OAuthAppService, ShownApp

T = TypeVar("T")


@click.group(cls=HyphenGroup, name="oauth-app")
def oauth_app() -> None:
    """Make, list and switch off apps that users may let in by OAuth 2."""


@oauth_app.command()
@click.argument("name")
@click.option(
    "-r",
    "--redirect-uri",
    "uris",
    multiple=True,
    required=True,
    help="Where browsers are sent back to, all of it; give it several times for several.",
)
@click.option(
    "-s",
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(list(Permission), case_sensitive=False),
    help="What the app may ask users for; give it several times for several.",
)
@click.option("--description", help="For those who are asked to let the app in.")
@user_option
@json_option
@data_dir_option
def add(
    *,
    name: str,
    uris: tuple[str, ...],
    scopes: tuple[str, ...],
    description: str | None,
    user: str,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Make the app NAME and print its client id and secret. Nobody can print the secret again."""
    from backend.services.oauth_apps import NewOAuthApp  # noqa: PLC0415 -- help does without

    new = NewOAuthApp(
        name=name,
        description=description,
        redirect_uris=uris,
        scopes=[Permission(one) for one in scopes],
    )

    async def made(storage: "SqlStorage", apps: "OAuthAppService") -> "ShownApp":
        if not await storage.user_exists(UserId(user)):
            raise NotFound(f"There is no user #{user}.")
        return await apps.add(UserId(user), new)

    with recorded("create", "oauth_app", user=user):
        shown = _with_apps(data_dir, made)
    if as_json:
        print_json({**_form(shown.app), "client_secret": shown.client_secret})
        return
    click.echo(f"app {shown.app.id}")
    click.echo(f"client_id {shown.app.client_id}")
    click.echo(f"client_secret {shown.client_secret}")


@oauth_app.command(name="list")
@user_option
@json_option
@data_dir_option
def list_(*, user: str, as_json: bool, data_dir: Path | None) -> None:
    """List the apps of a user, newest first."""
    found = _with_apps(data_dir, lambda _, apps: apps.listed(UserId(user)))
    if as_json:
        print_json([_form(app) for app in found])
        return
    if not found:
        click.echo("There are no apps.", err=True)
    for app in found:
        state = "on" if app.is_active else "off"
        click.echo(f"app {app.id}  {app.client_id}  {state}  {','.join(app.scopes)}  {app.name}")


@oauth_app.command()
@click.argument("app_id")
@user_option
@json_option
@data_dir_option
def disable(*, app_id: str, user: str, as_json: bool, data_dir: Path | None) -> None:
    """Switch the app APP_ID off. Its tokens open nothing from the next request on."""
    _switch(data_dir, user, app_id, is_active=False, as_json=as_json)


@oauth_app.command()
@click.argument("app_id")
@user_option
@json_option
@data_dir_option
def enable(*, app_id: str, user: str, as_json: bool, data_dir: Path | None) -> None:
    """Switch the app APP_ID on again, with the tokens that it has."""
    _switch(data_dir, user, app_id, is_active=True, as_json=as_json)


def _switch(
    data_dir: Path | None, user: str, app_id: str, *, is_active: bool, as_json: bool
) -> None:
    with recorded("change", "oauth_app", app_id, user=user):
        changed = _with_apps(
            data_dir,
            lambda _, apps: apps.set_active(UserId(user), OAuthAppId(app_id), is_active=is_active),
        )
    if as_json:
        print_json(_form(changed))
        return
    click.echo(f"The app {changed.name} is {'on' if is_active else 'off'}.")


def _form(app: "OAuthApp") -> dict[str, Any]:
    from backend.api.wire.oauth import app_info  # noqa: PLC0415 -- help does without

    # Where its logo is shown is the server's affair.
    return {name: value for name, value in app_info(app, None).items() if name != "logo_url"}


def _with_apps(
    data_dir: Path | None, work: "Callable[[SqlStorage, OAuthAppService], Awaitable[T]]"
) -> T:
    """Return what *work* does with the database, beside a running server or without one."""
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- help does without
    from backend.wiring_keys import oauth_apps_of  # noqa: PLC0415 -- the same

    return with_storage(
        data_dir, lambda _, storage: work(storage, oauth_apps_of(storage, SystemClock(), ""))
    )
