"""A stranger's subscription: answered like one to what does not exist, and nothing is told."""

import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from backend.api.ws.messages import WSMethod
from backend.core.status import Status
from tests.contract.owner_filters import Filters
from tests.unit.api.ws.ws_server import GRAPH, Watcher, WSServer, ws_server

NOBODYS: Final = str(uuid.UUID(int=7))

#: What can be subscribed to: the name of the id, and what else may be sent with it.
SUBSCRIPTIONS: Final[dict[WSMethod, tuple[str, list[dict[str, Any]]]]] = {
    WSMethod.SUBSCRIBE_GRAPH_EXEC: (
        "graph_exec_id",
        [{}, {"after_sequence": 0}, {"after_sequence": 1}, {"after_sequence": 10**9}],
    ),
    WSMethod.SUBSCRIBE_GRAPH_EXECS: ("graph_id", [{}, {"after_sequence": 0}]),
}
#: Methods that tell nothing to who sends them.
OTHERS: Final = {
    WSMethod.UNSUBSCRIBE,
    WSMethod.HEARTBEAT,
    WSMethod.ERROR,
    WSMethod.GRAPH_EXECUTION_EVENT,
    WSMethod.NODE_EXECUTION_EVENT,
    WSMethod.NODE_EXECUTION_TEXT_EVENT,
    WSMethod.NOTIFICATION,
}


@pytest.fixture
async def server() -> AsyncIterator[WSServer]:
    async with ws_server() as made:
        yield made


def test_every_method_is_in_the_matrix() -> None:
    assert SUBSCRIPTIONS.keys() | OTHERS == set(WSMethod), (
        "A WebSocket method is not in the ownership matrix: add it to SUBSCRIPTIONS or OTHERS"
    )


async def asked(client: Watcher, method: WSMethod, id_: str, more: dict[str, Any]) -> str:
    answer = await client.ask(method, {SUBSCRIPTIONS[method][0]: id_, **more})
    return str(answer).replace(id_, "<id>")


async def test_a_stranger_hears_nothing_of_a_run_or_graph(server: WSServer) -> None:
    run = await server.new_run()
    await server.executor.change(run, {0: "before"})
    ids = {"graph_exec_id": run.id, "graph_id": GRAPH}
    async with server.connect("ann") as ann, server.connect("bob") as bob:
        for method, (name, queries) in SUBSCRIPTIONS.items():
            for more in queries:
                theirs = await asked(bob, method, ids[name], more)
                assert theirs == await asked(bob, method, NOBODYS, more)
                assert "'success': False" in theirs
        await ann.watch(run, after_sequence=0)
        seen = await ann.events(2)

        await server.executor.change(run, {1: "live"}, Status.COMPLETED)

        seen += await ann.events(2)
        assert [frame["data"]["sequence"] for frame in seen] == [2, 3, 4, 5]
        assert (await bob.ask("heartbeat"))["data"] == "pong"  # and nothing before it


async def test_a_stranger_cannot_end_somebody_elses_subscription(server: WSServer) -> None:
    run = await server.new_run()
    async with server.connect("ann") as ann, server.connect("bob") as bob:
        await ann.watch(run)
        theirs = await bob.ask("unsubscribe", {"graph_exec_id": run.id})
        nobodys = await bob.ask("unsubscribe", {"graph_exec_id": NOBODYS})

        await server.executor.change(run, {0: "live"})

        assert theirs == nobodys
        assert len(await ann.events(2)) == 2


@pytest.mark.parametrize(
    ("function", "method"),
    [
        ("executions.get", WSMethod.SUBSCRIBE_GRAPH_EXEC),
        ("graphs.active_version", WSMethod.SUBSCRIBE_GRAPH_EXECS),
    ],
)
async def test_without_storages_owner_filter_a_stranger_would_be_let_in(
    server: WSServer, function: str, method: WSMethod
) -> None:
    """So the tests above can fail."""
    run = await server.new_run()
    id_ = {"graph_exec_id": run.id, "graph_id": GRAPH}[SUBSCRIPTIONS[method][0]]
    async with server.connect("bob") as bob:
        with Filters() as filters, filters.without(function):
            answer = await asked(bob, method, id_, {})

    assert "'success': True" in answer
