"""A look at a broker before it is used, and the removal of what an installation has there."""

from typing import Final

import aiormq
from aiormq.abc import AbstractConnection

from backend.adapters.broker.address import shown
from backend.adapters.broker.link import Broker, open_channel
from backend.adapters.broker.names import Names
from backend.core.errors import CannotStart, Unavailable

#: The first with what is used here: delivery limits, and dead letters of quorum queues.
_OLDEST: Final = (3, 10)
_ASK_S: Final = 10.0
_OPEN_S: Final = 10.0


async def check(url: str) -> str:
    """
    Return which broker answers at *url*, in a few words. Leaves nothing there.

    Raises:
        CannotStart: If it lets us not in, is not there, or cannot do what is needed.
    """
    broker = Broker(url, service="agpt: check")
    try:
        await broker.open(wait_s=_OPEN_S)
        version = await broker.ask(_try, limit_s=_ASK_S)
    finally:
        await broker.close()
    if version is None:
        raise CannotStart(
            f"{shown(url)} does not let us make queues: the user needs to configure, write and read"
            " everything that begins with agpt."
        )
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if numbers < _OLDEST:
        raise CannotStart(f"{shown(url)} is RabbitMQ {version}; at least 3.10 is needed")
    return f"RabbitMQ {version} at {shown(url)}"


async def listeners(url: str, names: Names) -> int:
    """
    Return how many executors of an installation listen for runs.

    Raises:
        CannotStart: If the broker does not let us in, or is not there.
    """

    async def count(connection: AbstractConnection) -> int:
        async with open_channel(connection) as channel:
            found = await channel.queue_declare(names.runs, passive=True)
            return found.consumer_count or 0

    broker = Broker(url, service="agpt: drop")
    try:
        await broker.open(wait_s=_OPEN_S)
        # No answer: there is no such queue.
        return await broker.ask(count, limit_s=_ASK_S) or 0
    finally:
        await broker.close()


async def drop(url: str, names: Names) -> None:
    """
    Remove the queues and exchanges of an installation; nothing of it may run. Twice is harmless.

    Queues of single processes need no removal: they went with their connections.

    Raises:
        CannotStart: If the broker does not let us in, or is not there.
        Unavailable: If it fails half-way; to try again is harmless.
    """

    async def remove(connection: AbstractConnection) -> bool:
        async with open_channel(connection) as channel:
            for queue in names.queues:
                await channel.queue_delete(queue)
            for exchange in names.exchanges:
                await channel.exchange_delete(exchange)
        return True

    broker = Broker(url, service="agpt: drop")
    try:
        await broker.open(wait_s=_OPEN_S)
        done = await broker.ask(remove, limit_s=_ASK_S)
    finally:
        await broker.close()
    if not done:
        raise Unavailable(f"{shown(url)} did not remove all of {names.prefix}*; try again")


async def _try(connection: AbstractConnection) -> str:
    """Make what goes by itself; return the broker's version."""
    async with open_channel(connection) as channel:
        await channel.queue_declare("agpt.check." + str(id(channel)), exclusive=True)
    assert isinstance(connection, aiormq.Connection)
    return str((connection.server_properties or {}).get("version", ""))
