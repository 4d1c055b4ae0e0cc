"""`agpt secrets`: which key has sealed what users keep, and sealing it anew with the newest."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backend.cli import HyphenGroup
from backend.cli.options import json_option, print_json
from backend.cli.recorded import recorded
from backend.cli.server import data_dir_option, overrides_of
from backend.cli.storage import storage_of
from backend.core.errors import Conflict

if TYPE_CHECKING:
    from backend.services.vault_keeper import VaultKeeper, VaultReport
    from backend.settings import Settings


@click.group(cls=HyphenGroup)
def secrets() -> None:
    """Check the secrets that users keep, and seal them with a new key, while the server runs."""


@secrets.command()
@json_option
@data_dir_option
def check(*, as_json: bool, data_dir: Path | None) -> None:
    """Open everything that is sealed, and say with which keys. Exit code 1: something does not open."""
    _print(_kept(data_dir, lambda keeper: keeper.check()), as_json=as_json)


@secrets.command()
@json_option
@data_dir_option
def rotate(*, as_json: bool, data_dir: Path | None) -> None:
    """
    Seal everything with the newest key: the first one in ENCRYPTION_KEY.

    A server that runs must know that key: it is refused to lock a server out. It may be stopped at
    any moment, and begun again. When it has said that no other key is needed, take the old keys
    out of ENCRYPTION_KEY and start the server again.
    """
    with recorded("rotate", "secrets"):
        report = _kept(data_dir, lambda keeper: keeper.rotate(), changes=True)
    _print(report, as_json=as_json)


def _print(report: "VaultReport", *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "newest_key": report.newest,
                "older_keys": report.older,
                "unreadable": report.unreadable,
            }
        )
    else:
        click.echo(f"sealed with the newest key: {report.newest}")
        click.echo(f"sealed with an older key: {report.older}")
        for name in report.unreadable:
            click.echo(f"agpt: {name} does not open with any key", err=True)
        if not report.older and not report.unreadable:
            click.echo("No other key is needed.")
        else:
            click.echo("No key that is set may be taken out yet.")
    if report.unreadable:
        sys.exit(1)


def _kept(
    data_dir: Path | None,
    work: "Callable[[VaultKeeper], Awaitable[VaultReport]]",
    *,
    changes: bool = False,
) -> "VaultReport":
    from backend.services.vault_keeper import VaultKeeper  # noqa: PLC0415 -- help does without
    from backend.settings import load_settings  # noqa: PLC0415 -- the same
    from backend.wiring_credentials import credentials_store, open_vault  # noqa: PLC0415 -- the same

    settings, _ = load_settings(overrides_of(data_dir))
    if changes:
        _require_known(settings)
    return storage_of(
        settings,
        lambda _, storage: work(
            VaultKeeper(store=credentials_store(storage), vault=open_vault(settings))
        ),
    )


def _require_known(settings: "Settings") -> None:
    """Refuse a key that a running server has not read: it could open nothing any more."""
    from backend.adapters.vault import fingerprint, keys_in  # noqa: PLC0415 -- help does without
    from backend.util.identity import is_alive  # noqa: PLC0415 -- the same
    from backend.util.record import read_records  # noqa: PLC0415 -- the same

    newest = fingerprint(keys_in(settings.encryption_key.get_secret_value())[0])
    for record in read_records(settings.agpt_data_dir).values():
        if is_alive(record.supervisor) and newest not in record.vault_keys:
            raise Conflict(
                f"The server that runs (pid {record.supervisor.pid}) was started before the newest "
                "key was set, and could open nothing that it seals: stop and start the server, "
                "then rotate."
            )
