"""Commands around the background server: start, stop, status; and keys and tokens."""

import re
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import click

from backend.cli.background import MainApp, Warm
from backend.cli.options import json_option, print_json
from backend.cli.pidfile import (
    Owner,
    get_pid,
    owner_of_pid,
    remove_pid,
    starting_alone,
    write_pid,
)
from backend.core.errors import BadRequest, CannotStart
from backend.util.identity import (
    Identity,
    identify,
    is_alive,
    kill_for_certain,
    send_signal,
    wait_until_gone,
)
from backend.util.record import ServiceRecord, read_records

_STOP_LIMIT_S: Final = 45.0
_KILL_LIMIT_S: Final = 5.0
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_TTL_S: Final = 3650 * 86400

data_dir_option = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Instead of AGPT_DATA_DIR."
)


def overrides_of(data_dir: Path | None) -> dict[str, Any]:
    """Return what `load_settings` wants to hear of the command line."""
    return {} if data_dir is None else {"agpt_data_dir": str(data_dir)}


@click.command()
@data_dir_option
@click.option("--log-level", help="debug, info, warning or error.")
@json_option
def start(*, data_dir: Path | None, log_level: str | None, as_json: bool) -> None:
    """Start the server in the background; returns when all services are ready."""
    overrides = overrides_of(data_dir)
    if log_level is not None:
        overrides["log_level"] = log_level
    pid = start_server(overrides, says_on_error=as_json)
    addresses = _addresses(data_dir, pid)
    if as_json:
        print_json({"pid": pid, "services": addresses})
        return
    click.echo(f"The server is running (pid {pid}).")
    for name, address in addresses.items():
        click.echo(f"  {name:<20} {address}")
    click.echo("`agpt token` prints a token, `agpt stop` stops it.")


def start_server(
    overrides: Mapping[str, Any], *, says_on_error: bool = True, warm: Warm | None = None
) -> int:
    """
    Start the background server; return its pid when all services are ready.

    Args:
        warm: One that waits for the word to go, made with the same *overrides*.

    Raises:
        CannotStart: If it does not start, or there is one.
    """
    with starting_alone():
        owner, present = owner_of_pid()
        if owner is Owner.OURS and present is not None:
            raise CannotStart(f"The server is already running (pid {present.pid}).")
        if get_pid() is not None or owner is not Owner.NOBODY:
            click.echo("Removed the pid file of a server that is gone.", err=says_on_error)
        remove_pid()
        app = MainApp()
        pid = warm.go() if warm else app.start(background=True, silent=True, **overrides)
        write_pid(pid)
        return pid


@click.command()
@json_option
def stop(*, as_json: bool) -> None:
    """Stop the background server and all its services."""
    done = stop_server()
    if as_json:
        print_json({"stopped": done.pid is not None, "pid": done.pid, "killed": done.killed})
    else:
        click.echo(done.said)


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """What a stop did. *pid*: the server's, if there was one; *killed*: it needed force."""

    said: str
    pid: int | None = None
    killed: bool = False


def stop_server() -> Stopped:
    """Stop the background server if there is one."""
    owner, server = owner_of_pid()
    if owner is Owner.UNKNOWN and server is not None:
        raise CannotStart(
            f"Nothing says that pid {server.pid} is the server, so it is left alone."
            " If it is not, remove ~/.config/agpt/running.tmp."
        )
    if owner is not Owner.OURS or server is None:
        was_there = get_pid() is not None
        remove_pid()
        removed = " Removed its old pid file." if was_there else ""
        return Stopped(said=f"The server is not running.{removed}")
    family = [server, *descendants(server)]
    send_signal(server, signal.SIGTERM)
    begin = time.monotonic()
    left = wait_until_gone([server], limit_s=_STOP_LIMIT_S)
    # The services follow their supervisor within 2 s, whatever became of it.
    left = wait_until_gone(family, limit_s=0 if left else _KILL_LIMIT_S)
    stuck = kill_for_certain(left, limit_s=_KILL_LIMIT_S)
    if stuck:
        raise CannotStart(f"These processes do not end: {', '.join(str(i.pid) for i in stuck)}.")
    remove_pid()
    if left:
        said = (
            f"Killed the server (pid {server.pid}) and what was left of it:"
            f" it had not stopped after {time.monotonic() - begin:.0f} seconds."
        )
        return Stopped(said=said, pid=server.pid, killed=True)
    return Stopped(said=f"Stopped the server (pid {server.pid}).", pid=server.pid)


def descendants(identity: Identity) -> list[Identity]:
    """Return all processes below *identity*, as they are now."""
    import psutil  # noqa: PLC0415 -- only a stop that needs force looks at processes

    try:
        below = psutil.Process(identity.pid).children(recursive=True)
    except psutil.Error:
        return []
    found = [identify(process.pid) for process in below]
    return [one for one in found if one is not None]


@click.command()
@data_dir_option
@json_option
def status(*, data_dir: Path | None, as_json: bool) -> None:
    """Say whether the server runs, and where each service answers."""
    found = server_status(_data_dir(data_dir))
    if as_json:
        print_json(found)
        return
    pid = f" (pid {found['pid']})" if found["pid"] else ""
    click.echo(f"{found['state']}{pid}")
    for service in found["services"]:
        click.echo(f"  {service['name']:<20} {service['state']:<10} {service['address']}")


def server_status(data_dir: Path) -> dict[str, Any]:
    """
    Return `state` (running, stopped, unknown), `pid` and `services` of the server on *data_dir*.

    Running says that its supervisor lives; whether a service is ready stands beside the service.
    """
    records = [r for r in read_records(data_dir).values() if is_alive(r.supervisor)]
    owner, present = owner_of_pid()
    pid = None
    if records:
        state, pid = "running", records[0].supervisor.pid
    elif owner in (Owner.UNKNOWN, Owner.OURS) and present is not None:
        # Somebody has the pid, but it has no record here: another data directory, or no server.
        state, pid = "unknown", present.pid
    else:
        state = "stopped"
    return {
        "state": state,
        "pid": pid,
        "data_dir": str(data_dir),
        "services": [_facts(service) for record in records for service in record.services],
    }


def _facts(service: ServiceRecord) -> Mapping[str, Any]:
    facts = asdict(service)
    del facts["birth"]
    if not is_alive(service.identity):
        facts["state"] = "dead"
    return facts


@click.command(name="gen-encrypt-key")
@json_option
def gen_encrypt_key(*, as_json: bool) -> None:
    """Print a fresh key for ENCRYPTION_KEY."""
    from backend.setting_keys import new_key  # noqa: PLC0415 -- other commands do without

    key = new_key()
    if as_json:
        print_json({"key": key})
    else:
        click.echo(key)


@click.command()
@data_dir_option
@click.option("--ttl", default="24h", show_default=True, help="A number and s, m, h or d.")
@json_option
def token(*, data_dir: Path | None, ttl: str, as_json: bool) -> None:
    """Print a token for the owner of this server."""
    seconds = seconds_of(ttl)
    made = make_token(overrides_of(data_dir), seconds)
    if as_json:
        print_json({"token": made, "expires_in_s": seconds})
    else:
        click.echo(made)


def make_token(overrides: Mapping[str, Any], ttl_s: int) -> str:
    """Return a token for the owner, valid for *ttl_s* from now; it belongs to no session."""
    from backend.core.ids import (  # noqa: PLC0415 -- other commands do without
        DEFAULT_USER_EMAIL,
        DEFAULT_USER_ID,
    )
    from backend.services.local_tokens import sign  # noqa: PLC0415 -- the same
    from backend.settings import load_settings  # noqa: PLC0415 -- the same
    from backend.wiring_tokens import local_key  # noqa: PLC0415 -- the same

    settings, _ = load_settings(overrides)
    return sign(
        local_key(settings),
        user_id=DEFAULT_USER_ID,
        email=DEFAULT_USER_EMAIL,
        name=None,
        is_admin=False,  # the row of the owner says so
        now_s=int(time.time()),
        ttl_s=ttl_s,
        more={"owner": True},
    )


def seconds_of(text: str) -> int:
    """Read `90s`, `15m`, `24h` or `7d`. Raises BadRequest."""
    match = re.fullmatch(r"(\d{1,9})([smhd])", text.strip())
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not seconds:
        raise BadRequest(f"{text!r} is no time: write a number and s, m, h or d, like 24h.")
    if seconds > _LONGEST_TTL_S:
        raise BadRequest(f"{text} is too long: {_LONGEST_TTL_S // 86400}d at the most.")
    return seconds


def _data_dir(data_dir: Path | None) -> Path:
    from backend.settings import load_settings  # noqa: PLC0415 -- not every command needs it

    return load_settings(overrides_of(data_dir))[0].agpt_data_dir


def _addresses(data_dir: Path | None, pid: int) -> dict[str, str]:
    for record in read_records(_data_dir(data_dir)).values():
        if record.supervisor.pid == pid:
            return {service.name: service.address for service in record.services}
    return {}
