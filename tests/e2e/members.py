"""A cluster: one whole server, and more services of it as on other machines, each with its own folder."""

import asyncio
from pathlib import Path
from typing import Final, TypeVar

import psycopg
from cryptography.fernet import Fernet

from backend.adapters.broker.names import Names
from backend.adapters.broker.tidy import drop
from backend.adapters.database_place import Place
from backend.adapters.storage.cluster import TABLES, installation_at
from backend.adapters.storage.doctor import examine
from backend.ports.doctor import Rule
from tests.databases import emptied
from tests.e2e.harness import LIMIT_S, Server
from tests.e2e.running import Running
from tests.services import require_service

MODULES: Final = {
    "ExecutionManager": "backend.exec",
    "AgentServer": "backend.rest",
    "WebsocketServer": "backend.ws",
    "Scheduler": "backend.scheduler",
    "NotificationManager": "backend.notification",
}


#: A busy machine takes its time to start them.
START_S: Final = 240.0


class Member(Server):
    """One service alone, under its own supervisor."""

    def __init__(self, service: str, data_dir: Path, **settings: str) -> None:
        super().__init__(data_dir, **settings)
        self.service = service
        self.inside = ""  #: the network namespace that it is in; mostly this one

    def start(self, *, limit_s: float = LIMIT_S) -> "Member":
        """Start it, and wait until it is ready."""
        if self._running is not None:
            self._running.kill_all()
        running = self._running = Running(
            "-m", MODULES[self.service], environment=self._environment, inside=self.inside
        )
        self.wait_ready(self.service, limit_s=limit_s)
        self.family |= running.family
        return self


M = TypeVar("M", bound=Member)


class Cluster:
    """Its members share a database of PostgreSQL, a broker, and their keys. `finish` ends it."""

    def __init__(
        self, folder: Path, *, database: str = "", broker: str = "", **settings: str
    ) -> None:
        """
        Prepare it.

        Args:
            database, broker: Servers of the test's own, in place of those that all tests share.
        """
        self.url = emptied(database or require_service("postgres"))
        self.broker_url = broker or require_service("rabbitmq")
        with psycopg.connect(self.url, autocommit=True) as connection:
            for table in TABLES:
                connection.execute(f"DROP TABLE IF EXISTS {table}".encode())
        self._folder = folder
        self._settings = {
            "DATABASE_URL": self.url,
            "RABBITMQ_URL": self.broker_url,
            "ENCRYPTION_KEY": Fernet.generate_key().decode(),
            "UNSUBSCRIBE_SECRET_KEY": "a key of the links in letters, long enough for them",
            **settings,
        }
        self.server = Server(folder / "first", **self._settings)
        self.members: list[Member] = []

    def start(self) -> "Cluster":
        """Start the whole server, with one executor."""
        self.server.start(limit_s=START_S)
        return self

    def add(self, service: str, **settings: str) -> Member:
        """Start one more of *service*, as on another machine."""
        made = self.prepared(service, kind=Member, **settings)
        made.start(limit_s=START_S)
        return made

    def prepared(self, service: str, *, kind: type[M], **settings: str) -> M:
        """Return one more of *service*, not started yet."""
        name = f"{service}-{len(self.members)}"
        made = kind(service, self._folder / name, **{**self._settings, **settings})
        self.members.append(made)
        return made

    def member(self, service: str) -> Member:
        """Return the first of *service* that is on a machine of its own."""
        return next(one for one in self.members if one.service == service)

    @property
    def executors(self) -> list[Server]:
        """Whatever has an executor."""
        return [self.server, *(one for one in self.members if one.service == "ExecutionManager")]

    def owners(self, *run_ids: str) -> dict[str, str | None]:
        """Return which executor each run belongs to."""
        with psycopg.connect(self.url) as connection:
            query = "SELECT id, owner FROM executions WHERE id = ANY(%s)"
            return dict(connection.execute(query, (list(run_ids),)).fetchall())

    def assert_nothing_broken(self) -> None:
        """All rules of the doctor hold over the database."""
        with examine(Place(Path("none"), self.url)) as records:
            broken = [found for rule in Rule for found in records.broken(rule)]
        assert broken == []

    def stop(self) -> None:
        """Stop all as an operator does, and see that nothing is left."""
        for one in [*reversed(self.members), self.server]:
            one.stop()
            one.assert_nothing_left()

    def finish(self) -> None:
        """End all that is left of it, and remove what it has at the broker."""
        for one in [*self.members, self.server]:
            said = one.log("ExecutionManager")[-3000:]
            print(f"{one.data_dir.name}: {said}")  # noqa: T201 - pytest shows it with a failure
            one.finish()
        installation = installation_at(self.url)
        if installation is not None:
            asyncio.run(drop(self.broker_url, Names(installation)))
