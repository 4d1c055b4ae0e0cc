"""The ticker of a scheduler in a process of its own, on a clock that a test holds: see `Tickers`.

Started as ``python -m tests.e2e.ticking <database> <clock file> <number>``.
"""

import asyncio
import mmap
import struct
import sys
from pathlib import Path
from typing import Final

from backend.adapters.storage import open_storage
from backend.adapters.storage.credentials import SqlCredentials
from backend.core.cron import Dialect
from backend.core.ids import ExecutionId, UserId
from backend.discovery import load_catalog
from backend.engine import ticker as ticker_module
from backend.engine.ticker import Ticker
from backend.ports.dispatch import NOBODY, SignalKind
from backend.services.executions import ExecutionService
from backend.services.fires import FireService
from backend.services.graphs import GraphService
from backend.testing.clock import FakeClock
from tests.e2e.harness import until
from tests.e2e.running import Running

#: Looks of a ticker follow each other so fast that two of them meet at most fires.
_LOOK_S: Final = 0.02
_SLOT: Final = struct.Struct("=q")
#: The time of day, and how often each ticker has looked.
_SLOTS: Final = 3


class SharedTimes:
    """The time of day and the looks of two tickers, in a file that processes share."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_SLOTS * _SLOT.size))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 0)

    def __getitem__(self, slot: int) -> int:
        return int(_SLOT.unpack_from(self._shared, slot * _SLOT.size)[0])

    def __setitem__(self, slot: int, value: int) -> None:
        _SLOT.pack_into(self._shared, slot * _SLOT.size, value)


class HeldClock(FakeClock):
    """A clock that another process sets."""

    def __init__(self, times: SharedTimes) -> None:
        super().__init__()
        self._times = times

    def now_us(self) -> int:
        return self._times[0]


class Tickers:
    """Two tickers as processes on one database. `close` ends both for sure."""

    def __init__(self, url: str, clock: Path) -> None:
        self.times = SharedTimes(clock)
        self._arguments = ("-m", "tests.e2e.ticking", url, str(clock))
        self._running: dict[int, Running] = {}

    def start(self, *numbers: int) -> None:
        """Start tickers, or start them again, and wait until they look."""
        for number in numbers:
            self._running[number] = Running(*self._arguments, str(number), environment={})
        for number in numbers:
            self._running[number].wait_for("looking", limit_s=60)

    def kill(self, number: int) -> None:
        """End one without warning."""
        self._running.pop(number).kill_all()

    def looked(self) -> None:
        """Wait until each that lives has looked at the time that it is now, from begin to end."""
        wanted = {number: self.times[number] + 2 for number in self._running}
        until(
            lambda: all(self.times[number] >= count for number, count in wanted.items()),
            what="both tickers to look",
        )

    def close(self) -> None:
        for running in self._running.values():
            running.kill_all()


class _Signals:
    """Nobody waits for runs here: their rows are what counts."""

    def signal(self, kind: SignalKind, run_id: ExecutionId, user_id: UserId = NOBODY) -> None:
        del kind, run_id, user_id

    async def close(self) -> None:
        pass


class _CountedTicker(Ticker):
    def watched_by(self, times: SharedTimes, number: int) -> "_CountedTicker":
        self._times, self._number = times, number
        return self

    async def fire_due(self) -> int:
        fired = await super().fire_due()
        self._times[self._number] += 1
        return fired


async def _tick(url: str, clock_file: Path, number: int) -> None:
    times = SharedTimes(clock_file)
    clock, catalog, signals = HeldClock(times), load_catalog(), _Signals()
    storage = open_storage(clock_file.parent / "none.db", url=url)
    executions = ExecutionService(
        storage=storage,
        credentials=SqlCredentials(storage.database),
        dispatcher=signals,
        graphs=GraphService(storage=storage, catalog=catalog, clock=clock),
        catalog=catalog,
        clock=clock,
    )
    fires = FireService(executions=executions, dialect=Dialect.POSIX)
    ticker = _CountedTicker(storage, signals, clock, fires).watched_by(times, number)
    ticker_module.LOOK_S = _LOOK_S  # type: ignore[misc] # in this process only
    print("looking", flush=True)  # noqa: T201 - whoever started this waits for it
    await ticker.serve()


if __name__ == "__main__":
    asyncio.run(_tick(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
