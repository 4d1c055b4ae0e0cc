"""The queues and exchanges of signals on RabbitMQ; whoever comes first makes them."""

from typing import Final

from aiormq.abc import AbstractChannel

from backend.adapters.broker.link import Broker
from backend.adapters.broker.names import Names

#: Hints that wait; newer ones are dropped, and the executors' sweeps find those runs.
_MOST_HINTS: Final = 100_000
_MOST_DEAD: Final = 1000
#: How often a hint may come back before it is put aside: each executor that ends, or has no room
#: any more, gives back what it was sent.
_DELIVERIES: Final = 100
#: Stops that wait for one executor that does not read.
MOST_STOPS: Final = 10_000


async def declare(broker: Broker, channel: AbstractChannel, names: Names) -> None:
    """
    Make what is not there yet, over *channel* of *broker*.

    Raises:
        ChannelPreconditionFailed: If it is there with other arguments, of another version.
    """
    async with broker.declaring:
        await _declare(channel, names)


async def _declare(channel: AbstractChannel, names: Names) -> None:
    await channel.queue_declare(
        names.dead,
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-max-length": _MOST_DEAD,
            "x-overflow": "drop-head",
        },
    )
    await channel.queue_declare(
        names.runs,
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-max-length": _MOST_HINTS,
            "x-overflow": "reject-publish",
            "x-delivery-limit": _DELIVERIES,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": names.dead,
        },
    )
    await channel.exchange_declare(names.stops, exchange_type="fanout", durable=True)
