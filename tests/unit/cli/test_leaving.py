"""`agpt db drop --broker`, and what `agpt config check` says of a broker."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
import pytest
from aiormq.abc import AbstractConnection
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet

from backend.adapters.broker.link import Broker, open_channel
from backend.adapters.broker.names import Names
from backend.adapters.dispatch.rabbit import RabbitDispatcher
from backend.adapters.dispatch.rabbit_source import RabbitSignalSource
from backend.adapters.storage.cluster import TABLES, forget, installation_at, join
from backend.cli import main
from backend.testing.bus import until
from tests.brokers import Rabbit
from tests.databases import emptied
from tests.services import require_service

Invoke: TypeAlias = Callable[..., Coroutine[Any, Any, Result]]


@pytest.fixture
def database() -> str:
    """A database of PostgreSQL in which no cluster was ever."""
    url = emptied(require_service("postgres"))
    forget(url)
    return url


@pytest.fixture
def agpt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str, rabbit: Rabbit) -> Invoke:
    """Run a command as a member of the cluster would, away from this loop."""
    keys = {
        "AGPT_DATA_DIR": str(tmp_path),
        "DATABASE_URL": database,
        "RABBITMQ_URL": rabbit.url,
        "FILES_URL": "",
        "ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "JWT_VERIFY_KEY": "a key that only tests use, long enough",
        "UNSUBSCRIBE_SECRET_KEY": "a key of the links in letters, long enough",
    }
    for name, value in keys.items():
        monkeypatch.setenv(name, value)

    async def invoke(*arguments: str, **options: Any) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, main, arguments, **options)

    return invoke


@pytest.fixture
async def installation(database: str, rabbit: Rabbit) -> Names:
    """One that has begun in the database; removed from the broker at the end."""
    key = Fernet.generate_key().decode()
    rabbit.names = Names(await asyncio.to_thread(lambda: join(database, secret="s", keys=[key])))
    return rabbit.names


async def is_there(broker: Broker, queue: str) -> bool:
    async def look(connection: AbstractConnection) -> bool:
        async with open_channel(connection) as channel:
            await channel.queue_declare(queue, passive=True)
        return True

    return await broker.ask(look, limit_s=10.0) is True


async def test_all_is_removed_and_the_installation_forgotten(
    agpt: Invoke, rabbit: Rabbit, database: str, installation: Names
) -> None:
    broker = await rabbit.broker()
    dispatcher = RabbitDispatcher(broker, installation)
    async with asyncio.timeout(10.0):
        while not await is_there(broker, installation.runs):  # noqa: ASYNC110 -- it is asked
            await asyncio.sleep(0.05)
    await dispatcher.close()

    no = await agpt("db", "drop", "--broker", input="n\n")
    assert no.exit_code == 1
    assert await is_there(broker, installation.runs)
    yes = await agpt("db", "drop", "--broker", "--yes", "--json")

    assert json.loads(yes.stdout)["removed"] == f"agpt.{installation.installation}.*"
    assert not await is_there(broker, installation.runs)
    assert installation_at(database) is None
    again = await agpt("db", "drop", "--broker", "--yes")
    assert again.exit_code == 1
    assert "No cluster was ever in this database" in again.stderr


async def test_nothing_is_removed_under_an_executor(
    agpt: Invoke, rabbit: Rabbit, database: str, installation: Names
) -> None:
    source = RabbitSignalSource(await rabbit.broker(), installation, "executor")
    source.signals()
    await until(lambda: source.listens)

    refused = await agpt("db", "drop", "--broker", "--yes")

    assert refused.exit_code == 1
    assert "Executors of this installation still listen (1)" in refused.stderr
    assert installation_at(database) == installation.installation
    await source.close()


async def test_without_a_broker_there_is_nothing_to_remove(
    agpt: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RABBITMQ_URL", "")

    ended = await agpt("db", "drop", "--broker", "--yes")

    assert (ended.exit_code, ended.stderr) == (
        1,
        "agpt: No broker is set (RABBITMQ_URL): there is nothing to remove.\n",
    )


async def test_a_broker_that_answers_is_named(agpt: Invoke, rabbit: Rabbit) -> None:
    said = (await agpt("config", "check")).stdout

    assert "ok       broker: RabbitMQ 3." in said or "ok       broker: RabbitMQ 4." in said
    assert "guest" not in said


async def test_a_broker_that_refuses_is_a_problem(
    agpt: Invoke, rabbit: Rabbit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RABBITMQ_URL", rabbit.url.replace(":guest@", ":hunter2@"))

    ended = await agpt("config", "check")

    assert ended.exit_code == 1
    assert "problem  broker: amqp://127.0.0.1:5672 lets us not in" in ended.stderr
    assert "hunter2" not in ended.stderr


def test_the_tables_of_a_cluster_are_known(database: str) -> None:
    """What is forgotten is all that there is."""
    join(database, secret="s", keys=[Fernet.generate_key().decode()])
    forget(database)

    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT tablename FROM pg_tables WHERE tablename LIKE 'cluster%'"
        ).fetchall()

    assert (found, len(TABLES)) == ([], 2)
