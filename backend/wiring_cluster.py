"""The clustered row of wiring_bus.py: PostgreSQL has the rows, RabbitMQ carries what is told."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from backend.adapters.broker.link import ALARM, Broker
from backend.adapters.broker.names import Names
from backend.settings import Settings
from backend.telemetry import Metrics

if TYPE_CHECKING:
    from backend.adapters.storage import SqlStorage
    from backend.engine.fleet import Fleet
    from backend.ports.bus import EventPublisher, EventSubscriber
    from backend.ports.dispatch import Dispatcher, SignalSource


async def open_cluster(
    settings: Settings, metrics: Metrics, stack: AsyncExitStack, *, owner: str
) -> "Cluster":
    """
    Become a member of the cluster; *stack* leaves it.

    Args:
        owner: The id of an executor; empty: it is none. An executor has a second connection to the
            broker, on which it publishes nothing: who publishes is not read when the broker is
            short of memory, and the sign of life, and the look for those of others, must not stop
            with that.

    Raises:
        CannotStart: If the database or the broker does not answer, or this one has other keys.
    """
    installation = await asyncio.to_thread(joined, settings)
    brokers = [await _broker(settings, metrics.service_name, stack)]
    if owner:
        brokers.append(await _broker(settings, f"{metrics.service_name} listens", stack))
    for name, text, value in (
        (
            "broker_connected",
            "1 while RabbitMQ is connected",
            lambda: min(b.connected for b in brokers),
        ),
        (
            "broker_losses",
            "Connections to RabbitMQ that were lost",
            lambda: sum(b.losses for b in brokers),
        ),
        (
            "broker_blocked_seconds",
            "How long RabbitMQ has taken no messages: it is short of memory or disk",
            lambda: max(b.blocked_s for b in brokers),
        ),
    ):
        metrics.gauge(name, text).set_function(value)
    return Cluster(settings, metrics, brokers, Names(installation), stack, owner)


async def _broker(settings: Settings, name: str, stack: AsyncExitStack) -> Broker:
    broker = Broker(settings.rabbitmq_url, service=name)
    await broker.open()
    stack.push_async_callback(broker.close)
    return broker


def joined(settings: Settings) -> str:
    """Return the id of the installation in the database, with these keys; see cluster.join."""
    from backend.adapters.storage.cluster import join

    shared = (
        settings.jwt_sign_algorithm,
        settings.jwt_verify_key.get_secret_value(),
        settings.unsubscribe_secret_key.get_secret_value(),
    )
    keys = settings.encryption_key.get_secret_value().split(",")
    return join(settings.database_url, secret="\0".join(shared), keys=[key.strip() for key in keys])


OUT_OF_REACH: Final = "out of reach: runs that wait are found in the database, once a second"


class Cluster:
    """See backend.wiring_bus.Ways."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        brokers: Sequence[Broker],
        names: Names,
        stack: AsyncExitStack,
        owner: str,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._brokers = brokers
        self._broker, self._listening = brokers[0], brokers[-1]
        self._names = names
        self._stack = stack
        self._me = owner

    def dispatcher(self) -> "Dispatcher":
        """Return the way to the executors."""
        from backend.adapters.dispatch.rabbit import RabbitDispatcher

        made = RabbitDispatcher(self._broker, self._names)
        self._stack.push_async_callback(made.close)
        return made

    def signals(self) -> "SignalSource":
        """Return what executors are told."""
        from backend.adapters.dispatch.rabbit_source import RabbitSignalSource

        made = RabbitSignalSource(self._listening, self._names, self._me)
        for name, text, value in (
            ("runs_queue_messages", "Hints of runs that no executor has", lambda: made.depth),
            ("dead_letters", "Messages that nobody understood", lambda: made.dead),
            ("signals_rejected", "Of them, those that came here", lambda: made.rejected),
        ):
            self._metrics.gauge(name, text).set_function(value)
        return made

    def publisher(self, what: str) -> "EventPublisher":
        """Return the way to those who listen."""
        from backend.adapters.bus.rabbit_publisher import RabbitPublisher

        return RabbitPublisher(self._broker, self._names, what)

    def subscriber(self, what: str) -> "EventSubscriber":
        """Return what is told."""
        from backend.adapters.bus.rabbit_subscriber import RabbitSubscriber

        made = RabbitSubscriber(self._broker, self._names, what)
        self._stack.push_async_callback(made.close)
        return made

    def facts(self) -> Mapping[str, object]:
        """Return how the broker is; without it, or when it takes no messages, work goes on."""
        if not all(one.connected for one in self._brokers):
            return {"broker": OUT_OF_REACH}
        blocked_s = max(one.blocked_s for one in self._brokers)
        if blocked_s > 0:
            return {"broker": f"has taken no messages for {blocked_s:.0f} s: {ALARM}"}
        return {"broker": "connected"}

    def fleet(self, storage: "SqlStorage") -> "Fleet":
        """Return this executor among others."""
        from backend.adapters.peers.rabbit import RabbitPeers
        from backend.adapters.storage.cluster import PostgresSeats
        from backend.engine.fleet import Fleet
        from backend.wiring_files import engine_limits

        limits = engine_limits(self._settings)
        seats = PostgresSeats(
            self._settings.database_url,
            self._me,
            per_graph=limits.runs_per_graph,
            per_user=limits.runs_per_user,
        )
        made = Fleet(
            self._me,
            storage=storage,
            peers=RabbitPeers(self._listening, self._names, self._me),
            seats=seats,
        )
        self._metrics.gauge("executors_gone", "Executors whose runs were free").set_function(
            lambda: made.taken_over
        )
        return made
