"""Graphs: new ids, versions, sub-graphs, export."""

from typing import Any

from tests.contract.rest_server import AGENT, INPUT, RestServer, link, sample_graph


def parent(sub_id: str, version: int = 1) -> dict[str, Any]:
    """Return a graph that runs another."""
    schema = {"type": "object", "properties": {"text": {}}, "required": ["text"]}
    output = {"type": "object", "properties": {"result": {}}}
    return {
        "name": "Parent",
        "description": "",
        "nodes": [
            {"id": "in", "block_id": INPUT, "input_default": {"name": "text"}},
            {
                "id": "agent",
                "block_id": AGENT,
                "input_default": {
                    "graph_id": sub_id,
                    "graph_version": version,
                    "input_schema": schema,
                    "output_schema": output,
                    "inputs": {},
                },
            },
        ],
        "links": [link("in", "result", "agent", "text")],
    }


async def test_a_saved_graph_has_new_ids_everywhere_and_its_links_follow(
    server: RestServer,
) -> None:
    made = await server.new_graph(sample_graph(id="mine"))

    ids = [node["id"] for node in made["nodes"]]
    assert made["id"] != "mine"
    assert not {"in", "store", "out"} & set(ids)
    ends = [(one["source_id"], one["sink_id"]) for one in made["links"]]
    assert ends == [(ids[0], ids[1]), (ids[1], ids[2])]
    assert made["nodes"][1]["input_links"] == [made["links"][0]]
    assert made["nodes"][1]["output_links"] == [made["links"][1]]


async def test_links_of_blocks_with_static_outputs_are_static(server: RestServer) -> None:
    made = await server.new_graph()

    assert made["links"][0]["is_static"]


async def test_nodes_without_ids_are_no_problem(server: RestServer) -> None:
    graph = sample_graph(links=[])
    graph["nodes"] = [{**node, "id": ""} for node in graph["nodes"]]

    made = await server.new_graph(graph)

    assert len({node["id"] for node in made["nodes"]}) == 3


async def test_sub_graphs_are_saved_with_their_parent_and_read_back(server: RestServer) -> None:
    made = await server.new_graph({**parent("sub"), "sub_graphs": [sample_graph(id="sub")]})

    read = (await server.ask("GET", f"/api/graphs/{made['id']}")).json()

    [sub] = read["sub_graphs"]
    agent = next(node for node in read["nodes"] if node["block_id"] == AGENT)
    assert agent["input_default"]["graph_id"] == sub["id"] != "sub"
    assert agent["input_default"]["user_id"] == "ann"
    assert [node["block_id"] for node in sub["nodes"]] == [
        node["block_id"] for node in sample_graph()["nodes"]
    ]
    listed = (await server.ask("GET", "/api/graphs")).json()
    assert {one["id"] for one in listed} == {made["id"], sub["id"]}


async def test_a_new_version_keeps_the_sub_graphs_that_are_saved_already(
    server: RestServer,
) -> None:
    made = await server.new_graph({**parent("sub"), "sub_graphs": [sample_graph(id="sub")]})
    read = (await server.ask("GET", f"/api/graphs/{made['id']}")).json()

    second = (await server.ask("PUT", f"/api/graphs/{made['id']}", read)).json()

    assert second["version"] == 2
    assert [sub["id"] for sub in second["sub_graphs"]] == [read["sub_graphs"][0]["id"]]
    assert len((await server.ask("GET", "/api/graphs")).json()) == 2


async def test_a_sub_graph_of_somebody_else_is_not_shown(server: RestServer) -> None:
    theirs = await server.new_graph(user="bob")

    made = await server.new_graph(parent(theirs["id"]))

    read = (await server.ask("GET", f"/api/graphs/{made['id']}")).json()
    assert read["sub_graphs"] == []


async def test_a_new_version_becomes_the_active_one_unless_it_says_no(server: RestServer) -> None:
    made = await server.new_graph()
    path = f"/api/graphs/{made['id']}"

    second = (await server.ask("PUT", path, made)).json()
    third = (await server.ask("PUT", path, {**made, "is_active": False})).json()

    versions = (await server.ask("GET", f"{path}/versions")).json()
    assert [(one["version"], one["is_active"]) for one in versions] == [
        (3, False),
        (2, True),
        (1, False),
    ]
    assert (second["is_active"], third["is_active"]) == (True, False)
    # Node ids are never used twice.
    assert not {node["id"] for node in second["nodes"]} & {node["id"] for node in made["nodes"]}


async def test_without_a_version_the_highest_is_read(server: RestServer) -> None:
    made = await server.new_graph()
    path = f"/api/graphs/{made['id']}"
    await server.ask("PUT", path, {**made, "is_active": False})

    assert (await server.ask("GET", path)).json()["version"] == 2


async def test_a_body_without_an_id_is_the_graph_of_its_path(server: RestServer) -> None:
    made = await server.new_graph()

    response = await server.ask("PUT", f"/api/graphs/{made['id']}", sample_graph(name="Renamed"))

    assert (response.json()["id"], response.json()["name"]) == (made["id"], "Renamed")


async def test_instructions_and_the_schedule_that_is_recommended_are_kept(
    server: RestServer,
) -> None:
    graph = sample_graph(instructions="Say hello", recommended_schedule_cron="0 9 * * 1")

    made = await server.new_graph(graph)

    read = (await server.ask("GET", f"/api/graphs/{made['id']}")).json()
    assert read["instructions"] == "Say hello"
    assert read["recommended_schedule_cron"] == "0 9 * * 1"


async def test_an_exported_graph_has_no_owner_and_no_secret_values(server: RestServer) -> None:
    secret = {"name": "key", "value": "s3cret", "secret": True}
    made = await server.new_graph(
        sample_graph(
            nodes=[
                *sample_graph()["nodes"],
                {"id": "k", "block_id": INPUT, "input_default": secret},
            ]
        )
    )

    exported = await server.ask("GET", f"/api/graphs/{made['id']}?for_export=true")

    assert exported.json()["user_id"] == ""
    assert "s3cret" not in exported.text


async def test_an_exported_graph_can_be_created_again(server: RestServer) -> None:
    made = await server.new_graph({**parent("sub"), "sub_graphs": [sample_graph(id="sub")]})
    exported = (await server.ask("GET", f"/api/graphs/{made['id']}?for_export=true")).json()

    again = await server.new_graph(exported, user="bob")

    assert again["user_id"] == "bob"
    assert again["sub_graphs"][0]["id"] != made["sub_graphs"][0]["id"]


async def test_deleting_what_is_not_there_deletes_nothing(server: RestServer) -> None:
    response = await server.ask("DELETE", "/api/graphs/unknown")

    assert response.json() == {"version_counts": 0}
