"""Versions that race, activations that are only half done, graphs that are kept though refused."""

import asyncio
from dataclasses import replace

import pytest

from backend.core.errors import NotFound
from backend.core.graph import AGENT_EXECUTOR_ID, Graph
from backend.core.ids import GraphId
from tests.contract.rest_server import Json, RestServer, rest_server, sample_graph
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, graph
from tests.unit.engine.engine_house import House

SAMPLE = graph("sample", {"in": INPUT, "out": OUTPUT}, "in.result -> out.value")
SAMPLE_ID = GraphId("sample")


async def save(house: House, which: Graph) -> Graph:
    return await house.user.add_version(which, [], now_us=1)


def active(house: House) -> list[int]:
    rows = house.rows("SELECT version FROM graphs WHERE id = 'sample' AND is_active ORDER BY 1")
    return [row[0] for row in rows]


async def test_versions_that_are_saved_at_once_get_numbers_of_their_own(house: House) -> None:
    await house.add(SAMPLE)

    saved = await asyncio.gather(*(save(house, SAMPLE) for _ in range(20)))

    assert sorted(one.version for one in saved) == list(range(2, 22))
    assert active(house) == [max(one.version for one in saved)]


async def test_one_version_is_active_while_others_are_activated_and_saved(house: House) -> None:
    await house.add(SAMPLE)
    await save(house, SAMPLE)
    seen: list[list[int]] = []

    async def look() -> None:
        for _ in range(20):
            found = await house.user.graphs(limit=10)
            seen.append([one.version for one in found])

    await asyncio.gather(
        look(),
        *(house.user.set_active_version(SAMPLE_ID, 1 + n % 2, now_us=1) for n in range(20)),
        *(save(house, replace(SAMPLE, is_active=bool(n % 2))) for n in range(6)),
    )

    assert {len(versions) for versions in seen} == {1}
    assert len(active(house)) == 1


async def test_the_active_version_need_not_be_the_newest(house: House) -> None:
    await house.add(SAMPLE)
    await save(house, SAMPLE)
    await house.user.set_active_version(SAMPLE_ID, 1, now_us=1)

    await save(house, replace(SAMPLE, is_active=False))

    assert await house.user.active_version(SAMPLE_ID) == 1
    assert [one.version for one in await house.user.graphs(limit=10)] == [1]


async def test_an_activation_that_fails_changes_nothing(house: House) -> None:
    await house.add(SAMPLE)

    with pytest.raises(NotFound):
        await house.user.set_active_version(SAMPLE_ID, 7, now_us=1)

    assert active(house) == [1]


async def test_what_cannot_be_saved_whole_is_not_saved_at_all(house: House) -> None:
    """The sub-graph of a new version has an id that is taken: the version is not kept either."""
    await house.add(SAMPLE)

    with pytest.raises(Exception, match="UNIQUE"):
        await house.user.add_version(SAMPLE, [SAMPLE], now_us=1)

    assert [one.version for one in await house.user.graph_versions(SAMPLE_ID, limit=10)] == [1]
    assert active(house) == [1]


async def test_a_version_that_is_refused_leaves_graph_and_library_as_they_were() -> None:
    async with rest_server() as server:
        made = await server.new_graph()
        before = await everything(server)
        wrong = {
            **sample_graph(),
            "id": made["id"],
            "links": [{**made["links"][0], "sink_name": "no"}],
        }

        response = await server.ask("PUT", f"/api/graphs/{made['id']}", wrong)

        assert response.status_code == 400
        assert await everything(server) == before


async def everything(server: RestServer) -> list[list[tuple[object, ...]]]:
    return [
        await server.storage.database.read(
            lambda connection, table=table: [  # type: ignore[misc] # a lambda has no annotations
                tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table}")
            ]
        )
        for table in ("graphs", "library_agents")
    ]


async def test_two_versions_of_one_sub_graph_stay_two_through_export_and_import() -> None:
    async with rest_server() as server:
        sub = await server.new_graph()
        await server.ask("PUT", f"/api/graphs/{sub['id']}", sub)
        nodes = [_runs(sub, version) for version in (1, 2)]
        outer = await server.new_graph({"name": "o", "description": "", "nodes": nodes})

        file = await server.ask("GET", f"/api/graphs/{outer['id']}?for_export=true")
        again = await server.new_graph(file.json())

        versions = sorted((one["id"], one["version"]) for one in again["sub_graphs"])
        runs = [node["input_default"] for node in again["nodes"]]
        assert [version for _, version in versions] == [1, 2]
        assert sorted((one["graph_id"], one["graph_version"]) for one in runs) == versions
        assert sub["id"] not in {one for one, _ in versions}


def _runs(sub: Json, version: int) -> Json:
    return {
        "id": f"n{version}",
        "block_id": AGENT_EXECUTOR_ID,
        "input_default": {
            "graph_id": sub["id"],
            "graph_version": version,
            "input_schema": sub["input_schema"],
            "output_schema": sub["output_schema"],
            "inputs": {},
        },
    }
