"""Bytes that somebody has put where the server keeps its own: they are data, or they are refused."""

import asyncio
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import zmq

from backend.adapters.bus.messages import BadMessage, decode
from backend.adapters.dispatch.local import LocalDispatcher, LocalSignalSource
from backend.adapters.ipc import open_socket
from backend.core.ids import ExecutionId
from backend.core.status import Status
from backend.ports.dispatch import SignalKind
from tests.contract.rest_server import RestServer
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, graph
from tests.unit.engine.engine_house import House, open_house


class Trap:
    """Runs code where a pickle is opened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.setrecursionlimit, (54_321,)


PICKLE = pickle.dumps(Trap())
#: What other programs' readers turn into objects, or into secrets.
MARKERS: list[Any] = [
    {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": "id"}},
    {"lc": 1, "type": "secret", "id": ["ENCRYPTION_KEY"]},
    {"__type__": "builtins.eval", "args": ["1"]},
    {"py/object": "os.system", "py/reduce": [{"py/function": "os.system"}, ["id"]]},
    {"$type": "System.Diagnostics.Process"},
    {"__reduce__": ["os.system", ["id"]], "__class__": "Trap"},
    {"__proto__": {"isAdmin": True}, "constructor": {"prototype": {}}},
    {"$ref": "file:///etc/passwd"},
    "!!python/object/apply:os.system ['id']",
    "gASVIAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKULg==",
    "${ENCRYPTION_KEY} {{ ENCRYPTION_KEY }} %(ENCRYPTION_KEY)s",
]


@pytest.mark.parametrize("marker", MARKERS, ids=str)
async def test_what_other_programs_take_for_objects_comes_back_as_it_was(
    server: RestServer, marker: Any
) -> None:
    graph = await server.new_graph()
    run = await server.new_run(graph, {"text": marker, "more": [marker]})

    shown = await server.ask("GET", f"/api/graphs/{graph['id']}/executions/{run['id']}")

    assert shown.json()["inputs"] == {"text": marker, "more": [marker]}


THROUGH = graph("through", {"in": INPUT, "out": OUTPUT}, "in.result -> out.value")


@pytest.mark.parametrize("marker", MARKERS, ids=str)
async def test_a_checkpoint_with_such_a_thing_is_gone_on_with_as_data(
    tmp_path: Path, marker: Any
) -> None:
    async with open_house(tmp_path) as house:
        await house.add(THROUGH)
        run_id = await house.submit("through", run="before")
        await put_into(house, run_id, json.dumps({"run": marker}))

        async with house.engine():
            run = await house.ended(run_id)

        assert run.outputs == {"answer": [marker]}


@pytest.mark.parametrize(
    "stored",
    [
        PICKLE,
        PICKLE.decode("latin-1"),
        "",
        "{",
        "[]",
        "null",
        "\x00",
        '{"run": 1}}',
        "NaN",
        "1" * 400,
    ],
    ids=lambda one: repr(one)[:20],
)
async def test_a_checkpoint_that_is_none_ends_its_own_run_and_no_other(
    tmp_path: Path, stored: str | bytes
) -> None:
    limit = sys.getrecursionlimit()
    async with open_house(tmp_path) as house:
        await house.add(THROUGH)
        bad = await house.submit("through", run="x")
        good = await house.submit("through", run="y")
        await put_into(house, bad, stored)

        async with house.engine():
            fine = await house.ended(good, limit_s=5)
            await end_of(house, bad)

    assert fine.status is Status.COMPLETED
    assert sys.getrecursionlimit() == limit


async def end_of(house: House, run_id: ExecutionId) -> None:
    """Wait for the end of a run whose row may not be read."""
    ended = "SELECT 1 FROM executions WHERE id = ? AND ended_us IS NOT NULL"
    async with asyncio.timeout(5):
        while not house.rows(ended, run_id):  # noqa: ASYNC110 -- rows wake nobody
            await asyncio.sleep(0.005)


async def put_into(house: House, run_id: ExecutionId, stored: str | bytes) -> None:
    await house.storage.database.write(
        lambda c: c.exec_driver_sql(
            "UPDATE executions SET inputs = ? WHERE id = ?", (stored, run_id)
        )
    )


@pytest.mark.parametrize(
    "message",
    [PICKLE, b"\x80", b"\xff" * 100, b"{", b"[]", b"null", b"1" * 100_000, b"[" * 100_000],
)
def test_a_message_between_processes_that_is_none_is_refused(message: bytes) -> None:
    with pytest.raises((BadMessage, ValueError)):
        decode(message)


async def test_a_signal_that_is_none_wakes_nobody_and_breaks_nothing(tmp_path: Path) -> None:
    path = f"ipc://{tmp_path}/signals"
    source = LocalSignalSource(path)
    signals = source.signals()
    stranger, friend = open_socket(zmq.PUSH, limit=100), LocalDispatcher(path)
    stranger.connect(path)
    for message in (PICKLE, b"run \xff\xfe", b"\xff", b"", b"run", b"x" * 100_000, b"nothing a b"):
        stranger.send(message)
    friend.signal(SignalKind.RUN, ExecutionId("known"))

    async with asyncio.timeout(10):
        seen: list[str] = []
        async for batch in signals:
            seen += [one.run_id for one in batch]
            if "known" in seen:
                break

    stranger.close(0)
    await friend.close()
    await source.close()
    assert set(seen) <= {"known", ""}
