"""A machine whose power goes says nothing: its connections are missed all the same, on both sides, in time."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.adapters.broker.link import Broker
from backend.adapters.broker.names import Names
from backend.adapters.peers.rabbit import RabbitPeers
from backend.adapters.storage.postgres import MISSED_S, PostgresDatabase
from backend.adapters.storage.postgres_lock import Kind, PostgresLock
from backend.core.errors import Unavailable
from backend.testing.peers import serving
from tests.e2e.running import free_port
from tests.network import Machine
from tests.private_broker import broker_at
from tests.private_postgres import postgres_at

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

#: A busy machine looks late.
LATE_S = 20.0
#: Three heartbeats of 10 s, and the pause between two looks at them.
HEARTBEATS_S = 40.0


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine() as made:
        yield made


def test_what_a_vanished_machine_held_in_the_database_is_free_in_time(
    machine: Machine, tmp_path: Path
) -> None:
    settings, let_in = "listen_addresses = '*'\n", "host all all all trust\n"
    with postgres_at(tmp_path, settings=settings, let_in=let_in) as server:
        there = server.url.replace("127.0.0.1", machine.host)
        ready, gone = threading.Event(), threading.Event()
        took: list[float] = []

        async def held() -> None:
            lock = await PostgresLock.take(there, Kind.NOTIFICATIONS)
            database = PostgresDatabase(there)
            await database.read(lambda c: c.exec_driver_sql("SELECT 1").scalar_one())
            ready.set()
            await asyncio.to_thread(gone.wait)
            begin = time.monotonic()
            with pytest.raises(Unavailable):
                await database.read(lambda c: c.exec_driver_sql("SELECT 1").scalar_one())
            took.append(time.monotonic() - begin)
            await database.close()
            lock.release()

        ended = machine.begin(lambda: asyncio.run(held()))
        assert ready.wait(60.0)
        machine.vanish()
        begin = time.monotonic()
        gone.set()
        standing_by = PostgresLock.stand_by(server.url, Kind.NOTIFICATIONS)
        lock = asyncio.run(asyncio.wait_for(standing_by, 3 * MISSED_S))
        free_s = time.monotonic() - begin
        lock.release()
        ended()

    print(f"missed by the server after {free_s:.0f} s, by the client after {took[0]:.0f} s")  # noqa: T201
    assert free_s < MISSED_S + LATE_S
    # Then it asks again for a while, as of a server that is started anew.
    assert took[0] < MISSED_S + 10.0 + 10.0 + LATE_S


def test_a_vanished_executor_is_missed_by_the_others_and_by_itself(
    machine: Machine, tmp_path: Path
) -> None:
    port = free_port()
    settings = f"listeners.tcp.all = 0.0.0.0:{port}\nloopback_users = none\n"
    with broker_at(tmp_path, settings=settings) as server:
        there = f"amqp://guest:guest@{machine.host}:{port}/"
        names, ready, gone = Names("half-open"), threading.Event(), threading.Event()
        took: list[float] = []

        async def lives() -> None:
            broker = Broker(there, service="agpt: vanishing")
            await broker.open()
            async with serving(RabbitPeers(broker, names, "vanishing")):
                ready.set()
                await asyncio.to_thread(gone.wait)
                begin = time.monotonic()
                while broker.losses == 0:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.1)
                took.append(time.monotonic() - begin)
            await broker.close()

        async def watches() -> float:
            broker = Broker(server.url, service="agpt: watching")
            await broker.open()
            peers = RabbitPeers(broker, names, "watching", settled_s=0.1)
            begin = time.monotonic()
            while await peers.gone(["vanishing"]) == frozenset():  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.5)
            missed_s = time.monotonic() - begin
            await broker.close()
            return missed_s

        ended = machine.begin(lambda: asyncio.run(lives()))
        assert ready.wait(60.0)
        machine.vanish()
        gone.set()
        missed_s = asyncio.run(watches())
        ended()

    print(f"missed by the others after {missed_s:.0f} s, by itself after {took[0]:.0f} s")  # noqa: T201
    assert missed_s < HEARTBEATS_S + LATE_S
    assert took[0] < HEARTBEATS_S + LATE_S
