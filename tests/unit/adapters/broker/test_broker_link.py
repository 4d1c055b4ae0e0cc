"""The connection to a broker: who may use it, what is said when it fails, and that it comes back."""

import asyncio
import socket
from urllib.parse import urlsplit

import pytest
from aiormq.abc import AbstractConnection
from structlog.testing import capture_logs

from backend.adapters.broker.link import Broker, end, open_channel
from backend.adapters.broker.tidy import check, drop
from backend.adapters.dispatch.rabbit_places import declare
from backend.core.errors import CannotStart
from backend.testing.bus import until
from tests.brokers import Proxy, Rabbit


def changed(rabbit: Rabbit, before: str, after: str) -> str:
    assert before in rabbit.url
    return rabbit.url.replace(before, after)


async def test_a_wrong_password_is_said_without_it(rabbit: Rabbit) -> None:
    broker = Broker(changed(rabbit, ":guest@", ":hunter2@"), service="agpt: test")

    with pytest.raises(CannotStart, match="lets us not in") as caught:
        await broker.open(wait_s=30.0)

    assert "hunter2" not in str(caught.value)


async def test_a_place_that_is_not_there_is_named(rabbit: Rabbit) -> None:
    broker = Broker(rabbit.url.rstrip("/") + "/nowhere", service="agpt: test")

    with pytest.raises(CannotStart, match="/nowhere lets us not in: there is no such"):
        await broker.open(wait_s=30.0)


async def test_a_broker_that_does_not_answer_is_waited_for_in_vain() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    broker = Broker(f"amqp://guest:hunter2@127.0.0.1:{port}/", service="agpt: test")

    with pytest.raises(CannotStart, match=f"127.0.0.1:{port} does not answer") as caught:
        await broker.open(wait_s=0.2)

    assert "hunter2" not in str(caught.value)


async def test_what_is_no_broker_does_not_answer() -> None:
    """A web server, for example; it may even say something."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        broker = Broker(f"amqp://guest:guest@127.0.0.1:{port}/", service="agpt: test")

        with pytest.raises(CannotStart, match="does not answer"):
            await broker.open(wait_s=0.2)


async def test_a_session_begins_anew_with_each_connection(rabbit: Rabbit) -> None:
    seen: list[AbstractConnection] = []

    async def session(connection: AbstractConnection) -> None:
        seen.append(connection)
        await asyncio.get_running_loop().create_future()

    async with Proxy(rabbit.url) as proxy:
        broker = await rabbit.broker(proxy.url)
        member = broker.join(session)
        await until(lambda: len(seen) == 1)

        with capture_logs() as logs:
            proxy.cut()
            await until(lambda: len(seen) == 2)

        assert seen[0] is not seen[1]
        assert (broker.connections, broker.losses) == (2, 1)
        assert {entry["event"] for entry in logs} == {
            "broker_connection_lost",
            "broker_connected_again",
        }
        await end(member)
        assert broker.connected


async def test_a_session_that_fails_harms_no_other_and_begins_anew(rabbit: Rabbit) -> None:
    """A defect of ours is an error in the log, with its trace."""
    begun = 0

    async def faulty(_: AbstractConnection) -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise ZeroDivisionError

    broker = await rabbit.broker()
    with capture_logs() as logs:
        member = broker.join(faulty)
        await until(member.done)

    assert begun == 3
    assert broker.connections == 1
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("broker_session_failed", "error")
    ] * 2


async def test_a_channel_that_the_broker_closes_ends_its_session_alone(rabbit: Rabbit) -> None:
    begun = 0

    async def greedy(connection: AbstractConnection) -> None:
        nonlocal begun
        begun += 1
        async with open_channel(connection) as channel:
            if begun == 1:
                await channel.queue_declare("agpt.nothing", passive=True)

    broker = await rabbit.broker()
    with capture_logs() as logs:
        await until(broker.join(greedy).done)

    assert begun == 2
    assert broker.connections == 1
    assert [entry["event"] for entry in logs] == ["broker_session_ended"]
    assert "agpt.nothing" in logs[0]["reason"]


async def test_a_question_without_a_broker_has_no_answer(rabbit: Rabbit) -> None:
    async def question(_: AbstractConnection) -> int:
        return 1

    async def endless(_: AbstractConnection) -> int:
        await asyncio.get_running_loop().create_future()
        return 1

    async with Proxy(rabbit.url) as proxy:
        broker = await rabbit.broker(proxy.url)
        assert await broker.ask(question, limit_s=5.0) == 1
        assert await broker.ask(endless, limit_s=0.05) is None
        waiting = asyncio.create_task(broker.ask(endless, limit_s=60.0))
        await asyncio.sleep(0.05)

        proxy.blocked = True
        proxy.cut()

        async with asyncio.timeout(5.0):
            assert await waiting is None
        assert await broker.ask(question, limit_s=5.0) is None
        await broker.close()
        await broker.close()


async def test_a_check_says_which_broker_it_is_and_leaves_nothing(rabbit: Rabbit) -> None:
    said = await check(rabbit.url)

    assert said.startswith("RabbitMQ ")
    assert "guest" not in said


async def test_drop_removes_all_and_twice_is_harmless(rabbit: Rabbit) -> None:
    broker = await rabbit.broker()

    async def make(connection: AbstractConnection) -> bool:
        async with open_channel(connection) as channel:
            await declare(broker, channel, rabbit.names)
        return True

    async def there(connection: AbstractConnection) -> bool:
        async with open_channel(connection) as channel:
            await channel.queue_declare(rabbit.names.runs, passive=True)
        return True

    assert await broker.ask(make, limit_s=10.0)
    assert await broker.ask(there, limit_s=10.0)

    for _ in range(2):
        await drop(rabbit.url, rabbit.names)

    assert await broker.ask(there, limit_s=10.0) is None


@pytest.mark.parametrize("after_bytes", [-1, 0, 4, 100_000])
async def test_a_broker_that_hangs_up_while_it_greets_is_asked_again(
    rabbit: Rabbit, after_bytes: int
) -> None:
    """As one does that stops: before anything is said, at once, in its first word, or after it."""
    there = urlsplit(rabbit.url)
    hung_up = 0

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal hung_up
        hung_up += 1
        if after_bytes < 0:
            writer.close()
            return
        real_reader, real_writer = await asyncio.open_connection(there.hostname, there.port)
        real_writer.write(await reader.read(8))
        writer.write((await real_reader.read(100_000))[:after_bytes])
        writer.close()
        real_writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        broker = Broker(f"amqp://guest:guest@127.0.0.1:{port}/", service="agpt: test")
        with pytest.raises(CannotStart, match="does not answer"):
            await broker.open(wait_s=0.5)

    assert hung_up > 1


@pytest.mark.parametrize("error", [StopAsyncIteration, asyncio.CancelledError])
async def test_what_the_library_makes_of_a_connection_that_is_cut_is_no_end(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """Seen in storms: neither is an error of AMQP, and one looks like a wish to stop."""

    async def cut(_: str, **__: object) -> None:
        raise error

    monkeypatch.setattr("aiormq.connect", cut)
    broker = Broker("amqp://127.0.0.1:1/", service="agpt: test")

    with pytest.raises(CannotStart, match="closed while it was made"):
        await broker.open(wait_s=0.2)
