"""A cluster of private servers: a whole one and four members, as on machines of their own."""

import asyncio
import secrets
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

import psycopg
from cryptography.fernet import Fernet

from backend.adapters.broker.link import Broker
from backend.adapters.broker.names import Names
from backend.adapters.peers.rabbit import RabbitPeers
from backend.adapters.storage.cluster import installation_at
from backend.adapters.storage.value_files import FILES
from backend.selfcheck.plan_cluster import MEMBERS
from backend.selfcheck.private_database import PrivateDatabase
from backend.selfcheck.processes import until
from backend.selfcheck.rows_postgres import WITNESS, PostgresRows
from backend.selfcheck.server import PrivateServer
from backend.selfcheck.site import Site
from backend.selfcheck.ways import Way, Ways, may_be_cut

_MODULES: Final = {
    "ExecutionManager": "backend.exec",
    "AgentServer": "backend.rest",
    "WebsocketServer": "backend.ws",
}
_OTHERS: Final = (
    "FROM pg_stat_activity WHERE datname = current_database() AND application_name <> %s"
)
#: A session ends a moment after its client.
_SESSIONS_S: Final = 10.0


class Cluster(Site):
    """See the module."""

    def __init__(self, folder: Path, database: PrivateDatabase, trusted_origin: str) -> None:
        """Prepare it; *database* is empty, and its broker too."""
        key = secrets.token_urlsafe(32)
        settings = {
            "DATABASE_URL": database.url,
            "RABBITMQ_URL": database.broker_url,
            "ENCRYPTION_KEY": Fernet.generate_key().decode(),
            "JWT_VERIFY_KEY": key,
            "UNSUBSCRIBE_SECRET_KEY": secrets.token_urlsafe(32),
            "TRUST_ENDPOINTS_FOR_REQUESTS": trusted_origin,
        }
        self._ways = Ways()
        self._ways_of = [self._ways_for(database) for _ in MEMBERS]
        members = [
            _member(folder, number, settings | {name: way.url for name, way in ways.items()})
            for number, ways in enumerate(self._ways_of)
        ]
        _share_files(folder, members)
        super().__init__(folder, members, PostgresRows(database.url), url=database.url, key=key)
        self._broker_url = database.broker_url

    def _ways_for(self, database: PrivateDatabase) -> dict[str, Way]:
        """Return the ways of a member, by the settings that name where they lead."""
        urls = {"DATABASE_URL": database.url, "RABBITMQ_URL": database.broker_url}
        return {name: self._ways.to(url) for name, url in urls.items() if may_be_cut(url)}

    def cut(self, members: Iterable[int]) -> int:
        """Cut them here, on their ways."""
        return self._ways.cut(self._of(members))

    def silence(self, members: Iterable[int], *, silent: bool) -> None:
        """Hold or release what goes through here."""
        (self._ways.hold if silent else self._ways.release)(self._of(members))

    def _of(self, members: Iterable[int]) -> list[Way]:
        return [way for number in members for way in self._ways_of[number].values()]

    def kill_all(self) -> None:
        """End the ways, too."""
        super().kill_all()
        self._ways.close()

    def owners(self, members: Iterable[int]) -> frozenset[str]:
        """Return them as their logs have them."""
        return frozenset().union(*(self.members[number].executors() for number in members))

    def cut_sessions(self) -> int:
        """End them from one of our own."""
        with psycopg.connect(self.place.url, autocommit=True, application_name=WITNESS) as session:
            query = f"SELECT pg_terminate_backend(pid) {_OTHERS}"
            return len(session.execute(query.encode(), (WITNESS,)).fetchall())

    def left_behind(self, owners: Collection[str]) -> list[str]:
        """Look for sessions of the database and signs of life at the broker, too."""
        found = super().left_behind(owners)
        if not until(lambda: self._sessions() == 0, limit_s=_SESSIONS_S):
            found.append(f"{self._sessions()} sessions of the database are still there")
        installation = installation_at(self.place.url)
        if installation is None:
            return [*found, "the cluster has not written down who it is"]
        # Those who never had a run, too: they have said that they joined.
        everybody = {*owners, *self.owners(range(len(self.members)))}
        alive = asyncio.run(_alive(self._broker_url, Names(installation), everybody))
        return [*found, *(f"the broker still has the queue of executor {one}" for one in alive)]

    def _sessions(self) -> int:
        with psycopg.connect(self.place.url, autocommit=True, application_name=WITNESS) as session:
            row = session.execute(f"SELECT count(*) {_OTHERS}".encode(), (WITNESS,)).fetchone()
            return int(row[0]) if row else 0


def _member(folder: Path, number: int, settings: dict[str, str]) -> PrivateServer:
    services = MEMBERS[number]
    if number == 0:
        return PrivateServer(folder, **settings)
    service = services[0]
    return PrivateServer(
        folder,
        name=f"member-{number}",
        module=_MODULES[service],
        services=services,
        **settings,
    )


def _share_files(folder: Path, members: Iterable[PrivateServer]) -> None:
    """Give all members one folder for files and large values, as a mounted one would be."""
    shared = folder / FILES
    shared.mkdir(mode=0o700)
    for one in members:
        one.data_dir.mkdir(mode=0o700)
        (one.data_dir / FILES).symlink_to(shared, target_is_directory=True)


async def _alive(url: str, names: Names, owners: Collection[str]) -> list[str]:
    """Return those of *owners* that the broker takes for alive, though all have ended."""
    broker = Broker(url, service="agpt: selfcheck")
    await broker.open()
    try:
        gone = await RabbitPeers(broker, names, "selfcheck", settled_s=0).gone(owners)
    finally:
        await broker.close()
    return sorted(set(owners) - gone)
