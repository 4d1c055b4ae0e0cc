"""How the services of an installation reach each other: ZeroMQ on one machine, a broker in a cluster."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Protocol

from backend.adapters.ipc import socket_path
from backend.settings import Settings
from backend.telemetry import Metrics

if TYPE_CHECKING:
    from backend.adapters.storage import SqlStorage
    from backend.engine.fleet import Fleet
    from backend.ports.bus import EventPublisher, EventSubscriber
    from backend.ports.dispatch import Dispatcher, SignalSource

#: What is told: how runs go, by executors; what came into somebody's list, by who sends notices.
EVENTS = "events"
NOTICES = "notices"


class Ways(Protocol):
    """The ways of one process. All that they open is closed with the process's stack."""

    def dispatcher(self) -> "Dispatcher":
        """Return the way to the executors."""

    def signals(self) -> "SignalSource":
        """Return what executors are told."""

    def publisher(self, what: str) -> "EventPublisher":
        """Return the way to those who listen to EVENTS or NOTICES."""

    def subscriber(self, what: str) -> "EventSubscriber":
        """Return what is told there."""

    def fleet(self, storage: "SqlStorage") -> "Fleet | None":
        """Return this executor among others; None: there are no others."""

    def facts(self) -> Mapping[str, object]:
        """Return what /health says of them; nothing where they cannot fail alone."""


async def open_ways(
    settings: Settings, metrics: Metrics, stack: AsyncExitStack, *, owner: str = ""
) -> Ways:
    """
    Return the ways of this process; *stack* closes them.

    Args:
        owner: The id of an executor: only these have `signals` and a `fleet`. Empty: it is none.

    Raises:
        CannotStart: If there is a cluster that this process cannot be a member of.
    """
    if not settings.rabbitmq_url:
        return _Embedded(settings, stack)
    from backend.wiring_cluster import open_cluster

    return await open_cluster(settings, metrics, stack, owner=owner)


class _Embedded:
    """One machine: sockets in the data directory."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self._data_dir = settings.agpt_data_dir
        self._stack = stack

    def dispatcher(self) -> "Dispatcher":
        from backend.adapters.dispatch.local import LocalDispatcher

        made = LocalDispatcher(socket_path(self._data_dir, "signals"))
        self._stack.push_async_callback(made.close)
        return made

    def signals(self) -> "SignalSource":
        from backend.adapters.dispatch.local import LocalSignalSource

        return LocalSignalSource(socket_path(self._data_dir, "signals"))

    def publisher(self, what: str) -> "EventPublisher":
        from backend.adapters.bus.local import LocalPublisher

        return LocalPublisher(socket_path(self._data_dir, what))

    def subscriber(self, what: str) -> "EventSubscriber":
        from backend.adapters.bus.local import LocalSubscriber

        made = LocalSubscriber(socket_path(self._data_dir, what))
        self._stack.push_async_callback(made.close)
        return made

    def fleet(self, storage: "SqlStorage") -> "Fleet | None":
        del storage
        return None

    def facts(self) -> Mapping[str, object]:
        return {}


def one_of_all(
    settings: Settings, works: Sequence[Coroutine[Any, Any, None]]
) -> Sequence[Coroutine[Any, Any, None]]:
    """
    Return what does *works* in one process of all on a database, and in another when it is gone.

    On a database that nobody else has these are the works themselves.
    """
    return [_one_of_all(settings.database_url, works)] if settings.database_url else works


async def _one_of_all(url: str, works: Sequence[Coroutine[Any, Any, None]]) -> None:
    from backend.adapters.storage.postgres_lock import Kind, PostgresLock

    try:
        lock = await PostgresLock.stand_by(url, Kind.NOTIFICATIONS)
    except BaseException:
        for work in works:
            work.close()
        raise
    try:
        async with asyncio.TaskGroup() as group:
            for work in (lock.keep(), *works):
                group.create_task(work)
    except BaseExceptionGroup as exc:
        raise exc.exceptions[0] from exc  # as of works that stand alone: a service has one reason
    finally:
        lock.release()
