"""`agpt user`: who may come in. Works on the database itself, beside a running server or without."""

import getpass
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from backend.cli import HyphenGroup
from backend.cli.options import json_option, print_json
from backend.cli.server import data_dir_option, overrides_of
from backend.cli.storage import storage_of
from backend.core.errors import BadRequest
from backend.core.ids import DEFAULT_USER_ID

if TYPE_CHECKING:
    from backend.adapters.storage import SqlStorage
    from backend.core.accounts import AccountRecord
    from backend.services.accounts import AccountService
    from backend.settings import Settings

T = TypeVar("T")

#: The name under which commands know the owner, whatever the address is.
_OWNER = "owner"

_who = click.argument("who")
_ask_option = click.option("--ask", is_flag=True, help="Ask for the password, twice.")
_stdin_option = click.option(
    "--stdin", "from_stdin", is_flag=True, help="Read the password from standard input."
)


@click.group(cls=HyphenGroup)
def user() -> None:
    """
    Say who may come in. WHO is an e-mail address, an id, or `owner`.

    What is said here takes effect at the next request, also while the server runs.
    """


@user.command()
@click.argument("email")
@click.option("--name", help="What the user is called.")
@click.option("--role", type=click.Choice(["member", "admin"]), default="member", show_default=True)
@_ask_option
@_stdin_option
@json_option
@data_dir_option
def add(
    *,
    email: str,
    name: str | None,
    role: str,
    ask: bool,
    from_stdin: bool,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Make an account. Without --ask or --stdin its password is drawn, and shown this once."""
    from backend.core.accounts import Role  # noqa: PLC0415 -- help does without

    password, drawn = _password(ask=ask, from_stdin=from_stdin)
    made = _with_accounts(
        data_dir, "add", lambda accounts: accounts.add(email, password, name=name, role=Role(role))
    )
    _say(made, f"{made.email} may sign in now, as {made.role}.", drawn, as_json=as_json)


@user.command(name="list")
@json_option
@data_dir_option
def list_(*, as_json: bool, data_dir: Path | None) -> None:
    """List the accounts, oldest first."""
    found = _with_accounts(data_dir, "", lambda accounts: accounts.listed())
    if as_json:
        print_json([_facts(one) for one in found])
        return
    for one in found:
        state = "disabled" if one.is_disabled else "active" if one.password_hash else "no password"
        seen = _moment(one.last_login_us)
        came = f"  last came {seen}" if seen else ""
        click.echo(f"{one.email:<32} {one.role:<7} {state:<12} {one.id}{came}")


@user.command()
@_who
@json_option
@data_dir_option
def disable(*, who: str, as_json: bool, data_dir: Path | None) -> None:
    """Refuse WHO from now on, and stop all that runs for them. What belongs to them stays."""
    done = _with_accounts(
        data_dir, "disable", lambda accounts: accounts.set_disabled(_id(who), disabled=True)
    )
    _say(done, f"{done.email} is refused from now on.", as_json=as_json)


@user.command()
@_who
@json_option
@data_dir_option
def enable(*, who: str, as_json: bool, data_dir: Path | None) -> None:
    """Let WHO sign in again."""
    done = _with_accounts(
        data_dir, "enable", lambda accounts: accounts.set_disabled(_id(who), disabled=False)
    )
    _say(done, f"{done.email} may sign in again.", as_json=as_json)


@user.command()
@_who
@click.argument("role", type=click.Choice(["member", "admin"]))
@json_option
@data_dir_option
def role(*, who: str, role: str, as_json: bool, data_dir: Path | None) -> None:
    """Let WHO be a member or an administrator."""
    from backend.core.accounts import Role  # noqa: PLC0415 -- help does without

    done = _with_accounts(
        data_dir, "change_role", lambda accounts: accounts.set_role(_id(who), Role(role))
    )
    _say(done, f"{done.email} is {role} from now on.", as_json=as_json)


@user.command()
@_who
@_ask_option
@_stdin_option
@json_option
@data_dir_option
def reset(*, who: str, ask: bool, from_stdin: bool, as_json: bool, data_dir: Path | None) -> None:
    """
    Give WHO a new password and end all sessions; also the first password of the owner.

    Without --ask or --stdin it is drawn, and shown this once.
    """
    password, drawn = _password(ask=ask, from_stdin=from_stdin)
    done = _with_accounts(
        data_dir, "reset_password", lambda accounts: accounts.set_password(_id(who), password)
    )
    _say(done, f"{done.email} signs in with the new password.", drawn, as_json=as_json)


def _id(who: str) -> str:
    return DEFAULT_USER_ID if who == _OWNER else who


def _password(*, ask: bool, from_stdin: bool) -> tuple[str, str | None]:
    """Return a password, and once more if it was drawn and has to be shown."""
    from backend.services.accounts import drawn_password  # noqa: PLC0415 -- help does without

    if ask and from_stdin:
        raise BadRequest("--ask and --stdin exclude each other.")
    if ask:
        text: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return text, None
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n"), None
    drawn = drawn_password()
    return drawn, drawn


def _say(account: "AccountRecord", said: str, drawn: str | None = None, *, as_json: bool) -> None:
    if as_json:
        shown = {} if drawn is None else {"password": drawn}
        print_json({"id": account.id, "email": account.email, **shown})
        return
    click.echo(said)
    if drawn is not None:
        click.echo(f"Password: {drawn}")


def _facts(account: "AccountRecord") -> dict[str, Any]:
    return {
        "id": account.id,
        "email": account.email,
        "name": account.name,
        "role": account.role.value,
        "is_disabled": account.is_disabled,
        "has_password": account.password_hash is not None,
        "created_at": _moment(account.created_us),
        "last_login_at": _moment(account.last_login_us),
    }


def _moment(at_us: int | None) -> str | None:
    if at_us is None:
        return None
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="seconds")


def _with_accounts(
    data_dir: Path | None, verb: str, work: "Callable[[AccountService], Awaitable[T]]"
) -> T:
    """Return what *work* does with the accounts of this machine; unless *verb* is empty it is audited."""
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- help does without
    from backend.adapters.storage.audit_log import SqlAuditLog  # noqa: PLC0415 -- the same
    from backend.core.audit import Actor, By  # noqa: PLC0415 -- the same
    from backend.services.audit import AuditService  # noqa: PLC0415 -- the same
    from backend.settings import load_settings  # noqa: PLC0415 -- the same
    from backend.telemetry import close_logging, configure_logging  # noqa: PLC0415 -- the same
    from backend.wiring_accounts import SignIn  # noqa: PLC0415 -- the same

    clock = SystemClock()

    async def done(settings: "Settings", storage: "SqlStorage") -> T:
        configure_logging(settings, "Operator")
        audit = AuditService(log=SqlAuditLog(storage.database), clock=clock)
        async with audit.recording(Actor(who=_operator(), by=By.CLI), verb, "account"):
            return await work(SignIn(settings, storage, clock).account_service())

    try:
        return storage_of(load_settings(overrides_of(data_dir))[0], done)
    finally:
        close_logging()


def _operator() -> str:
    """Return which account of this machine types."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
