"""Worker processes start late, are used again, and always come to their end."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.adapters.processes import WorkerPool
from backend.core.errors import BadRequest, ProcessEnded, Unavailable
from backend.core.json import Json, NotJson
from backend.ports.processes import BlockCall, ProcessLimits
from tests.unit.adapters.processes.far_code import FloodBlock

CODE = "tests.unit.adapters.processes.far_code"
MEGABYTE = 1024 * 1024


def far(name: str) -> str:
    return f"{CODE}:{name}"


async def until(check: Callable[[], Any], *, limit_s: float = 20) -> Any:
    """Wait for what another process does; it wakes nobody here."""
    async with asyncio.timeout(limit_s):
        while not (found := check()):  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)
    return found


def is_gone(pid: Any) -> bool:
    return not psutil.pid_exists(pid)


async def test_none_is_there_before_the_first_call_and_one_serves_many() -> None:
    pool = WorkerPool(ProcessLimits(count=2))
    before = pool.pids

    pids = {await pool.call(far("pid"), []) for _ in range(5)}

    assert (before, pids) == ([], set(pool.pids))
    assert len(pids) == 1
    await pool.close()
    assert all(map(is_gone, pids))


async def test_a_worker_that_has_taken_its_calls_makes_room_for_a_fresh_one() -> None:
    pool = WorkerPool(ProcessLimits(), most_calls=2)

    pids = [await pool.call(far("pid"), []) for _ in range(4)]

    assert pids[0] == pids[1] != pids[2] == pids[3]
    assert is_gone(pids[0])
    await pool.close()


async def test_a_worker_that_nobody_needs_ends() -> None:
    pool = WorkerPool(ProcessLimits(), idle_s=0.01)

    pid = await pool.call(far("pid"), [])

    await until(lambda: is_gone(pid) and not pool.pids)
    assert await pool.call(far("given"), [1]) == 1
    await pool.close()


async def test_values_travel_and_what_is_none_is_named() -> None:
    pool = WorkerPool(ProcessLimits(value_bytes=MEGABYTE))
    value: Json = {"a": [1, 2.5, None, True, "ä" * 1000]}

    assert await pool.call(far("given"), [value]) == value
    with pytest.raises(BadRequest, match="no JSON form"):
        await pool.call(far("nothing_json"), [])
    with pytest.raises(NotJson):
        await pool.call(far("given"), [b"raw"])  # type: ignore[list-item]
    with pytest.raises(BadRequest, match="setting BLOCK_PROCESS_VALUE_MB"):
        await pool.call(far("given"), ["x" * 2 * MEGABYTE])
    assert pool.figures.lost == 0
    await pool.close()


async def test_what_a_worker_prints_goes_nowhere_and_stops_nobody() -> None:
    pool = WorkerPool(ProcessLimits())

    assert await pool.call(far("shout"), []) is None

    await pool.close()


async def test_a_worker_is_not_told_what_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", "hush")
    monkeypatch.setenv("LANG", "C")
    pool = WorkerPool(ProcessLimits(), hidden=["ENCRYPTION_KEY"])

    seen = await pool.call(far("surroundings"), [])

    assert isinstance(seen, dict)
    assert ("ENCRYPTION_KEY" in seen, seen["LANG"]) == (False, "C")
    await pool.close()


async def test_a_crash_says_which_signal_it_was_and_the_next_call_finds_a_worker() -> None:
    pool = WorkerPool(ProcessLimits())

    with pytest.raises(ProcessEnded, match="was killed by SIGSEGV"):
        await pool.call(far("crash"), [])

    assert await pool.call(far("given"), [1]) == 1
    assert (pool.figures.started, pool.figures.lost) == (2, 1)
    await pool.close()


async def test_a_worker_killed_while_it_was_idle_is_not_used_again() -> None:
    pool = WorkerPool(ProcessLimits())
    pid = await pool.call(far("pid"), [])
    assert isinstance(pid, int)
    psutil.Process(pid).kill()
    await until(lambda: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    await asyncio.sleep(0.01)  # the loop hears of it

    assert await pool.call(far("pid"), []) != pid

    await pool.close()
    assert is_gone(pid)


async def test_a_cancelled_call_ends_its_worker_with_all_that_it_started(tmp_path: Path) -> None:
    place = tmp_path / "child"
    pool = WorkerPool(ProcessLimits())
    call = asyncio.create_task(pool.call(far("leaves_a_child"), [str(place)]))
    child = int(await until(lambda: place.exists() and place.read_text()))
    (worker,) = pool.pids

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert (is_gone(worker), pool.pids) == (True, [])
    await until(lambda: is_gone(child) or psutil.Process(child).status() == "zombie")
    assert await pool.call(far("given"), [1]) == 1
    await pool.close()


@pytest.mark.slow
async def test_a_worker_that_does_not_want_to_end_is_killed() -> None:
    pool = WorkerPool(ProcessLimits(time_s=0.5))

    with pytest.raises(ProcessEnded, match="BLOCK_PROCESS_TIME_LIMIT_S"):
        await pool.call(far("deaf"), [])

    assert pool.pids == []
    await pool.close()


async def test_there_are_never_more_than_allowed() -> None:
    pool = WorkerPool(ProcessLimits(count=2))

    pids = await asyncio.gather(*(pool.call(far("pid"), []) for _ in range(12)))

    assert len(set(pids)) == pool.figures.started == 2
    await pool.close()


async def test_a_flood_waits_until_somebody_takes_it(tmp_path: Path) -> None:
    place = tmp_path / "notes"
    pool = WorkerPool(ProcessLimits(count=2))
    call = BlockCall(
        block=far(FloodBlock.__name__),
        inputs={"place": str(place)},
        facts={"user_id": "ann"},
        now_us=1,
        started_us=1,
    )
    ahead, taken = [], 0

    async for _ in pool.outputs(call, spent=lambda _: None):
        taken += 1
        for _ in range(20):  # time enough for all that it could do
            await pool.call(far("given"), [1])
        ahead.append(len(place.read_text()) - taken)

    assert taken == 50
    assert max(ahead) <= 2
    await pool.close()


async def test_leaving_a_stream_early_ends_its_worker(tmp_path: Path) -> None:
    pool = WorkerPool(ProcessLimits())
    call = BlockCall(
        block=far(FloodBlock.__name__),
        inputs={"place": str(tmp_path / "notes")},
        facts={"user_id": "ann"},
        now_us=1,
        started_us=1,
    )
    outputs = pool.outputs(call, spent=lambda _: None)

    await anext(outputs)
    await outputs.aclose()

    assert pool.pids == []
    await pool.close()


async def test_after_the_close_nothing_starts() -> None:
    pool = WorkerPool(ProcessLimits())
    await pool.close()

    with pytest.raises(Unavailable):
        await pool.call(far("pid"), [])


async def test_closing_ends_what_is_under_way() -> None:
    pool = WorkerPool(ProcessLimits())
    call = asyncio.create_task(pool.call(far("deaf"), []))
    await until(lambda: pool.pids)

    await pool.close()

    assert pool.pids == []
    with pytest.raises(ProcessEnded):
        await call


async def test_a_system_without_processes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    pool = WorkerPool(ProcessLimits())

    with pytest.raises(Unavailable, match="no worker process can be started"):
        await pool.call(far("pid"), [])

    assert pool._free._value == 1
    await pool.close()
