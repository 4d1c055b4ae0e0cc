"""The servers that a check strikes: one alone, or the members of a cluster."""

import secrets
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from backend.adapters.database_place import Place
from backend.selfcheck.plan import AT
from backend.selfcheck.processes import until
from backend.selfcheck.rows import Rows, SqliteRows
from backend.selfcheck.server import PrivateServer
from backend.util.identity import Identity

_DATABASE: Final = "agpt.db"


class Site:
    """
    Private servers that share a database.

    A service is named as it is, and at another member than the first as ``<service>@<member>``,
    counted from 0.

    Attributes:
        members: The first is a whole server.
        rows: The way to look into the database.
        place: Where the database is.
        diary: Where the storm writes down what it does.
        key: Which tokens are signed with.
    """

    def __init__(
        self, folder: Path, members: Sequence[PrivateServer], rows: Rows, *, url: str, key: str
    ) -> None:
        """Prepare it; *url* is the address of PostgreSQL, or nothing."""
        self.members = tuple(members)
        self.rows = rows
        self.place = Place(members[0].data_dir / _DATABASE, url)
        self.diary = folder / "strikes.jsonl"
        self.key = key

    def start(self) -> None:
        """
        Start all; return when they are ready.

        Raises:
            CannotStart: If one does not start.
        """
        first, *others = self.members
        first.start()
        self._begin(others)

    def start_again(self, members: Iterable[int]) -> None:
        """Start those members again, all at once; raises as `start` does."""
        self._begin([self.members[number] for number in members])

    def _begin(self, members: Sequence[PrivateServer]) -> None:
        for one in members:
            one.begin()
        for one in members:
            one.wait_ready()

    def ports_of(self, service: str) -> list[int]:
        """Return where a service answers, at each member that has it."""
        return [one.ports[service] for one in self.members if service in one.services]

    @property
    def ended(self) -> list[PrivateServer]:
        """The members that are gone."""
        return [one for one in self.members if one.has_ended]

    def living(self, names: Iterable[str]) -> dict[str, Identity]:
        """Return the processes of those of *names* that have one now."""
        found: dict[str, Identity] = {}
        for name in names:
            service, member = parted(name)
            one = self.members[member].living([service]).get(service)
            if one is not None:
                found[name] = one
        return found

    def wait_for(self, names: Iterable[str], *, limit_s: float) -> dict[str, Identity]:
        """Wait until each of *names* has a process; return those that have."""
        wanted = set(names)
        until(lambda: self.living(wanted).keys() == wanted or bool(self.ended), limit_s=limit_s)
        return self.living(wanted)

    def owners(self, members: Iterable[int]) -> frozenset[str] | None:
        """Return the ids of the executors that these members have had; None: all there are."""
        del members
        return None

    def cut_sessions(self) -> int:
        """End all sessions of the database but our own; return how many there were."""
        return 0

    def cut(self, members: Iterable[int]) -> int:
        """Cut the connections of these to the servers they share; return how many there were."""
        del members
        return 0

    def silence(self, members: Iterable[int], *, silent: bool) -> None:
        """Let nothing through on those connections, or everything again."""

    def stop(self) -> list[str]:
        """Stop all as an operator does; return what went wrong, in sentences."""
        return [said for one in reversed(self.members) for said in one.stop()]

    def defects(self) -> list[str]:
        """Return the errors of their own that services have noted."""
        return [
            f"{found} ({one.name})" if len(self.members) > 1 else found
            for one in self.members
            for found in one.defects()
        ]

    def left_behind(self, owners: Collection[str]) -> list[str]:
        """
        Return what is still there when all have stopped.

        Args:
            owners: All executors that were ever seen to have a run.
        """
        del owners
        return [
            f"{found} ({one.name})" if len(self.members) > 1 else found
            for one in self.members
            for found in one.left_behind()
        ]

    def kill_all(self) -> None:
        """End all that is left of them, for certain. Twice is harmless."""
        for one in self.members:
            one.kill_all()


def parted(name: str) -> tuple[str, int]:
    """Return the service and the member of a name."""
    service, _, member = name.partition(AT)
    return service, int(member or 0)


def alone(folder: Path, trusted_origin: str) -> Site:
    """Return one whole server on SQLite. Its blocks may call *trusted_origin*."""
    key = secrets.token_urlsafe(32)
    server = PrivateServer(folder, JWT_VERIFY_KEY=key, TRUST_ENDPOINTS_FOR_REQUESTS=trusted_origin)
    return Site(folder, [server], SqliteRows(server.data_dir / _DATABASE), url="", key=key)
