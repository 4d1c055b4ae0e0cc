"""The clustered row of wiring_bus.py: PostgreSQL has the rows, RabbitMQ carries what is told."""

import asyncio
import uuid
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from backend.adapters.broker.link import Broker
from backend.adapters.broker.names import Names
from backend.settings import Settings
from backend.telemetry import Metrics

if TYPE_CHECKING:
    from backend.adapters.storage import SqlStorage
    from backend.engine.fleet import Fleet
    from backend.ports.bus import EventPublisher, EventSubscriber
    from backend.ports.dispatch import Dispatcher, SignalSource


async def open_cluster(settings: Settings, metrics: Metrics, stack: AsyncExitStack) -> "Cluster":
    """
    Become a member of the cluster; *stack* leaves it.

    Raises:
        CannotStart: If the database or the broker does not answer, or this one has other keys.
    """
    installation = await asyncio.to_thread(joined, settings)
    broker = Broker(settings.rabbitmq_url, service=metrics.service_name)
    await broker.open()
    stack.push_async_callback(broker.close)
    metrics.gauge("broker_connected", "1 while RabbitMQ is connected").set_function(
        lambda: broker.connected
    )
    metrics.gauge("broker_losses", "Connections to RabbitMQ that were lost").set_function(
        lambda: broker.losses
    )
    return Cluster(settings, metrics, broker, Names(installation), stack)


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


class Cluster:
    """See backend.wiring_bus.Ways."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        broker: Broker,
        names: Names,
        stack: AsyncExitStack,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._broker = broker
        self._names = names
        self._stack = stack
        self._me = str(uuid.uuid4())  # new with each process: what dies does not come back

    def dispatcher(self) -> "Dispatcher":
        """Return the way to the executors."""
        from backend.adapters.dispatch.rabbit import RabbitDispatcher

        made = RabbitDispatcher(self._broker, self._names)
        self._stack.push_async_callback(made.close)
        return made

    def signals(self) -> "SignalSource":
        """Return what executors are told."""
        from backend.adapters.dispatch.rabbit_source import RabbitSignalSource

        made = RabbitSignalSource(self._broker, self._names, self._me)
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
            peers=RabbitPeers(self._broker, self._names, self._me),
            seats=seats,
        )
        self._metrics.gauge("executors_gone", "Executors whose runs were free").set_function(
            lambda: made.taken_over
        )
        return made
