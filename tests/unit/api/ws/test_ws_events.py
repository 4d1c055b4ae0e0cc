"""What watchers see: every change once, in order, whatever breaks in between."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from backend.api.ws.client import Limits
from backend.api.ws.messages import WSMethod
from backend.core.ids import GraphId, UserId, derived_id
from backend.core.status import Status
from backend.ports.bus import NodeText, run_topic
from tests.unit.api.ws.ws_server import GRAPH, WSServer, ws_server


@pytest.fixture
async def server() -> AsyncIterator[WSServer]:
    async with ws_server() as made:
        yield made


def numbers(frames: list[dict[str, object]]) -> list[int]:
    return [frame["data"]["sequence"] for frame in frames]  # type: ignore[index]  # an event


async def test_a_run_is_seen_live(server: WSServer) -> None:
    run = await server.new_run()
    async with server.connect() as ann:
        await ann.watch(run)

        await server.executor.change(run, {0: "hello"}, Status.COMPLETED)

        node, end = await ann.events(2)
        assert node["method"] == "node_execution_event"
        assert node["data"]["event_type"] == "node_execution_update"
        assert node["data"]["output_data"] == {"output": ["hello"]}
        assert end["method"] == "graph_execution_event"
        assert end["data"]["event_type"] == "graph_execution_update"
        assert (end["data"]["status"], end["data"]["outputs"]) == (
            "COMPLETED",
            {"result": ["hello"]},
        )
        for frame in (node, end):
            assert list(frame) == ["method", "data", "success", "channel", "error"]
            assert (frame["success"], frame["error"]) == (None, None)
            assert frame["channel"] == f"ann|graph_exec#{run.id}"
        assert numbers([node, end]) == [2, 3]


async def test_the_runs_of_a_graph_are_seen_without_nodes(server: WSServer) -> None:
    run = await server.new_run()
    async with server.connect() as ann:
        answer = await ann.ask("subscribe_graph_executions", {"graph_id": GRAPH})
        second = await server.new_run(2)

        for one in (run, second):
            await server.executor.change(one, {0: "x"})

        frames = await ann.events(2)
        assert [frame["data"]["id"] for frame in frames] == [run.id, second.id]
        assert {frame["channel"] for frame in frames} == {answer["channel"]}
        assert {frame["method"] for frame in frames} == {"graph_execution_event"}


async def test_who_watches_both_gets_both(server: WSServer) -> None:
    run = await server.new_run()
    async with server.connect() as ann:
        await ann.watch(run)
        await ann.ask("subscribe_graph_executions", {"graph_id": GRAPH})

        await server.executor.change(run, {})

        frames = await ann.events(2)
        assert {frame["channel"] for frame in frames} == {
            f"ann|graph_exec#{run.id}",
            f"ann|graph#{GRAPH}|executions",
        }


async def test_what_was_missed_comes_first(server: WSServer) -> None:
    run = await server.new_run()
    for ordinal in range(120):  # more than one page
        await server.executor.change(run, {ordinal: ordinal})
    async with server.connect() as ann:
        await ann.watch(run, after_sequence=101)

        # The rows as they are now, and only the run's last one: 70 nodes with even numbers.
        caught_up = await ann.events(71)
        await server.executor.change(run, {120: "live"}, Status.COMPLETED)
        live = await ann.events(2)

        assert numbers(caught_up) == [*range(102, 242, 2), 241]
        assert numbers(live) == [242, 243]


async def test_after_nothing_means_everything(server: WSServer) -> None:
    run = await server.new_run()
    await server.executor.change(run, {0: "x"}, Status.COMPLETED)
    async with server.connect() as ann:
        await ann.watch(run, after_sequence=0)

        assert numbers(await ann.events(2)) == [2, 3]


async def test_without_after_sequence_the_past_is_past(server: WSServer) -> None:
    run = await server.new_run()
    await server.executor.change(run, {0: "x"})
    async with server.connect() as ann:
        await ann.watch(run)

        await server.executor.change(run, {1: "y"})

        assert numbers(await ann.events(2)) == [4, 5]


async def test_a_change_without_an_event_is_seen_after_a_restart(server: WSServer) -> None:
    """The executor was killed between commit and publication."""
    run = await server.new_run()
    async with server.connect() as ann:
        await ann.watch(run)
        await ann.ask("subscribe_graph_executions", {"graph_id": GRAPH})
        await server.executor.change(run, {0: "seen"})
        await ann.events(3)
        await server.executor.stop()
        await server.executor.change(run, {1: "unseen"}, Status.COMPLETED, publish=False)

        await server.executor.start()

        frames = await ann.events(3)
        mine = [frame for frame in frames if "graph_exec#" in frame["channel"]]
        assert numbers(mine) == [4, 5]
        [other] = [frame for frame in frames if frame not in mine]
        assert (other["data"]["sequence"], other["data"]["status"]) == (5, "COMPLETED")


@pytest.mark.slow
async def test_nothing_is_lost_or_told_twice_while_catching_up(server: WSServer) -> None:
    run = await server.new_run()
    for ordinal in range(200):
        await server.executor.change(run, {ordinal: ordinal})

    async def go_on() -> None:
        for ordinal in range(200, 500):
            await server.executor.change(run, {ordinal: ordinal})
        await server.executor.change(run, {}, Status.COMPLETED)

    async with server.connect() as ann, asyncio.TaskGroup() as tasks:
        tasks.create_task(go_on())
        await ann.watch(run, after_sequence=0)

        frames = [await ann.next()]
        while frames[-1]["data"]["status"] != "COMPLETED" or "node_id" in frames[-1]["data"]:
            frames.append(await ann.next())

    assert numbers(frames) == sorted(set(numbers(frames)))
    nodes = {frame["data"]["node_exec_id"] for frame in frames if "node_id" in frame["data"]}
    assert len(nodes) == 500


@pytest.mark.slow
async def test_a_subscription_is_answered_though_no_executor_runs(server: WSServer) -> None:
    run = await server.new_run()
    await server.executor.stop()
    async with server.connect() as ann:
        await ann.watch(run)
        await server.executor.change(run, {0: "x"}, publish=False)

        await server.executor.start()

        assert numbers(await ann.events(2)) == [2, 3]


@pytest.mark.slow
async def test_large_values_are_cut_and_small_ones_are_not(server: WSServer) -> None:
    run = await server.new_run()
    async with server.connect() as ann:
        await ann.watch(run)

        await server.executor.change(run, {0: "x" * 200_000, 1: ["y" * 1000] * 30_000})

        whole, cut, _ = await ann.events(3)
        assert whole["data"]["output_data"] == {"output": ["x" * 200_000]}
        assert "omitted" in str(cut["data"]["output_data"])
        assert cut["data"]["node_exec_id"] == derived_id(run.id, 1)


async def test_runs_of_others_on_a_shared_graph_stay_theirs(server: WSServer) -> None:
    """Bob may come to run ann's graph; ann watches the graph, not bob."""
    run = await server.new_run()
    async with server.connect() as ann:
        await ann.ask("subscribe_graph_executions", {"graph_id": GRAPH})
        bobs = await server.new_run(1, "bob", GraphId(derived_id("other")))
        await server.executor.change(bobs, {})
        record = await server.storage.of(UserId("bob")).execution(bobs.id)
        assert record is not None

        await server.executor.publish_on(GRAPH, record)
        await server.executor.change(run, {})

        assert (await ann.next())["data"]["id"] == run.id


async def test_a_token_that_expires_ends_its_sockets_and_no_others() -> None:
    async with (
        ws_server(Limits(check_s=0.02)) as server,
        server.connect("ann") as ann,
        server.connect("bob") as bob,
    ):
        assert (await ann.ask("heartbeat", "ping"))["data"] == "pong"

        server.expired.add("token-ann")

        assert await ann.closed_with() == 4003
        assert (await bob.ask("heartbeat", "ping"))["data"] == "pong"


async def test_who_watches_a_run_sees_what_its_model_says_as_it_comes(server: WSServer) -> None:
    run = await server.new_run()
    said = NodeText(
        user_id=UserId("ann"),
        graph_id=GraphId(GRAPH),
        run_id=run.id,
        node_id="node",
        node_exec_id="execution",
        call=1,
        offset=6,
        text="world",
    )
    async with server.connect() as ann, server.connect() as other:
        await ann.watch(run)
        await ann.ask(WSMethod.HEARTBEAT, {})  # what it was told at first is through
        server.executor.publisher.publish(run_topic(run.id), said)
        theirs = replace(said, user_id=UserId("bob"), text="secret")
        server.executor.publisher.publish(run_topic(run.id), theirs)

        frame = await ann.next()
        await server.executor.change(run, {0: "hello"}, Status.COMPLETED)
        after = await ann.next()

        assert frame["method"] == "node_execution_text_event"
        assert frame["data"]["graph_exec_id"] == run.id
        assert (frame["data"]["call"], frame["data"]["offset"]) == (1, 6)
        assert frame["data"]["text"] == "world"
        assert after["method"] == "node_execution_event"
        assert (await other.ask(WSMethod.HEARTBEAT, {}))["data"] == "pong"
