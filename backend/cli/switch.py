"""The moment of `agpt migrate`: the server stops on one database and starts on the other."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from backend.adapters.database_place import Place
from backend.cli import switching
from backend.cli.background import Warm
from backend.cli.server import server_status, start_server, stop_server
from backend.core.errors import AgentServerError, CannotStart, Conflict
from backend.util.identity import Identity, is_alive
from backend.util.record import read_records

if TYPE_CHECKING:
    from backend.adapters.moving.backup import Say
    from backend.adapters.moving.follow import Follower
    from backend.adapters.moving.move import Copied, Move
    from backend.settings import Settings
    from backend.util.locks import HeldLock

#: So long somebody has time to stop a server that this command may not stop.
WAIT_S: Final = 600.0
_OURS_S: Final = 5.0
_LOOK_S: Final = 0.05
#: How often what has changed is copied while somebody has time to stop the server.
_FOLLOW_S: Final = 1.0
#: A server that has not loaded by then does so while nobody is served.
_LOAD_S: Final = 60.0
_SETTING: Final = "database_url"
_BROKER: Final = "rabbitmq_url"


@dataclass(kw_only=True)
class Switched:
    """
    How it went.

    Attributes:
        last: Rows that were copied when nobody wrote any more.
        drain_s: How long what ran was given to end, while requests were answered.
        stop_s: How long nobody served after that; *copy_s* of it the rest was copied, and all was
            counted, *start_s* the server started.
        aside: Where the old file is now.
    """

    copied: "Copied"
    last: int = 0
    drain_s: float = 0.0
    stop_s: float = 0.0
    copy_s: float = 0.0
    start_s: float = 0.0
    aside: Path | None = None
    is_started: bool = False


class Switch:
    """See the module."""

    def __init__(
        self,
        settings: "Settings",
        move: "Move",
        copied: "Copied",
        *,
        broker: str,
        switches: bool,
    ) -> None:
        self._settings = settings
        self._data_dir = settings.agpt_data_dir
        self._move = move
        self._broker = broker
        self._switches = switches
        self._done = Switched(copied=copied)
        self._has_stopped = self._is_opened = self._is_set = False
        self._begun_s = 0.0
        self._lock: HeldLock | None = None

    def made(self, say: "Say") -> Switched:
        """
        Stop, copy the rest, set where the rows are, and start.

        Raises:
            Unavailable, Conflict: If it cannot be; the server runs on the old database again.
        """
        from backend.adapters.moving.follow import following  # noqa: PLC0415 -- help does without
        from backend.adapters.moving.move import give_up  # noqa: PLC0415 -- the same

        is_ours = self._switches and switching.is_ours(self._data_dir)
        with _loaded(self._settings, self._move.target, self._broker, wanted=is_ours) as warm:
            try:
                with following(self._move, self._done.copied) as follower:
                    follower.settle(say)
                    if warm is not None:
                        _until_loaded(warm, follower)
                    self._turn(follower, is_ours=is_ours)
                if self._switches and not self._move.source.url:
                    self._set_aside()
            except BaseException:
                if not self._is_set:
                    give_up(self._move, was_opened=self._is_opened)
                raise
            finally:
                if self._lock is not None:
                    self._lock.release()
                if self._has_stopped:
                    self._start(warm)
        self._tidy()
        return self._done

    def _turn(self, follower: "Follower", *, is_ours: bool) -> None:
        """Be alone, and make the other database the one that counts."""
        self._begun_s = time.monotonic()
        if is_ours:
            self._stop(follower)
        self._lock = self._alone(follower)
        alone_s = time.monotonic()
        if not self._has_stopped:
            self._begun_s = alone_s
        before = self._done.copied.noted
        follower.finish()
        self._done.last = self._done.copied.noted - before
        self._is_opened = True
        if self._switches:
            self._set()
            self._is_set = True
        self._done.copy_s = time.monotonic() - alone_s

    def _stop(self, follower: "Follower") -> None:
        """Stop our server; meanwhile what still changes is copied."""
        executors = _executors(self._data_dir)
        with ThreadPoolExecutor(1) as beside:
            stopping = beside.submit(stop_server)
            asked_s = time.monotonic()
            try:
                # From its end on nobody is served: it is the first that is stopped.
                while any(map(is_alive, executors)) and not stopping.done():
                    _follow(follower, stopping)
                self._begun_s = time.monotonic()
                self._done.drain_s = self._begun_s - asked_s
                while not stopping.done():
                    _follow(follower, stopping)
            finally:
                self._has_stopped = stopping.result().pid is not None

    def _alone(self, follower: "Follower") -> "HeldLock":
        """Wait until no server works on the data directory, and keep it so."""
        from backend.util.locks import take_data_dir_alone  # noqa: PLC0415 -- help does without

        limit_s = _OURS_S if self._has_stopped else WAIT_S
        if server_status(self._data_dir)["state"] == "running":
            click.echo(
                "Everything is copied. Stop the server now: what has changed follows.", err=True
            )
        begun_s = followed_s = time.monotonic()
        while True:
            try:
                return take_data_dir_alone(self._data_dir)
            except CannotStart as exc:
                now_s = time.monotonic()
                if now_s - begun_s > limit_s:
                    raise Conflict(
                        f"The server did not stop, so nothing was changed. {exc}"
                    ) from exc
                if now_s - followed_s > _FOLLOW_S:
                    follower.catch_up()
                    followed_s = time.monotonic()
            time.sleep(_LOOK_S)

    def _start(self, warm: Warm | None) -> None:
        begun_s = time.monotonic()
        try:
            start_server({"agpt_data_dir": str(self._data_dir)}, warm=warm)
            self._done.is_started = True
        except AgentServerError as exc:
            click.echo(f"agpt: the server was stopped, and does not start: {exc}", err=True)
        now_s = time.monotonic()
        self._done.start_s, self._done.stop_s = now_s - begun_s, now_s - self._begun_s

    def _set(self) -> None:
        """Write where the rows are into `config.json`."""
        url = self._move.target.url
        wanted = {_SETTING: url}
        if self._broker or not url:
            wanted[_BROKER] = self._broker
        switching.set_in_config(self._settings, wanted)

    def _set_aside(self) -> None:
        from backend.adapters.moving.switch import name_aside, set_aside  # noqa: PLC0415 -- help does without

        moment = datetime.fromtimestamp(time.time(), UTC)
        path = self._move.source.path
        self._done.aside = set_aside(path, name_aside(path, moment))

    def _tidy(self) -> None:
        """Note nothing in the old database any more."""
        from backend.adapters.moving.changes import end_notes  # noqa: PLC0415 -- help does without
        from backend.adapters.moving.switch import remove_stage  # noqa: PLC0415 -- the same

        remove_stage(self._data_dir)
        aside = self._done.aside
        end_notes(self._move.source if aside is None else Place(aside))


@contextmanager
def _loaded(
    settings: "Settings", target: Place, broker: str, *, wanted: bool
) -> Iterator[Warm | None]:
    """Give a server that has loaded what it needs before the other one stops."""
    if not wanted:
        yield None
        return
    overrides = {"agpt_data_dir": str(settings.agpt_data_dir)}
    values = {_SETTING: target.url, _BROKER: broker}
    loads = tuple(name for name, value in values.items() if value)
    warm = Warm(overrides, settings.agpt_data_dir / "logs" / "server.log", loads=loads)
    try:
        yield warm
    finally:
        warm.cancel()


def _until_loaded(warm: Warm, follower: "Follower") -> None:
    end_s = time.monotonic() + _LOAD_S
    while not warm.is_loaded(wait_s=_FOLLOW_S) and time.monotonic() < end_s:
        follower.catch_up()
    follower.catch_up()


def _follow(follower: "Follower", until: "Future[Any]") -> None:
    follower.catch_up()
    wait([until], _LOOK_S)


def _executors(data_dir: Path) -> list[Identity]:
    return [
        service.identity
        for record in read_records(data_dir).values()
        for service in record.services
        if service.name == "ExecutionManager"
    ]
