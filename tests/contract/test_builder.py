"""The builder's menu: what it shows, what a search finds, and whose searches it remembers."""

from typing import Any, Final

import pytest

from tests.contract.rest_server import ANN, BOB, CALCULATOR, STORE, Json, RestServer, sample_graph

BUILDER: Final = "/api/builder"
UNKNOWN: Final = "00000000-0000-4000-8000-000000000000"


async def got(server: RestServer, path: str, *, user: str = ANN) -> Any:
    """Return what *path* answers below the builder's."""
    response = await server.ask("GET", f"{BUILDER}/{path}", user=user)
    assert response.status_code == 200, response.text
    return response.json()


async def test_the_menu_shows_what_the_list_of_blocks_has(server: RestServer) -> None:
    listed = {block["id"] for block in (await server.ask("GET", "/api/blocks")).json()}

    first = await got(server, "blocks")
    every = await got(server, "blocks?page_size=100000")
    last = await got(server, "blocks?page_size=200&page=2")

    total = first["pagination"]["total_items"]
    assert (total, len(first["blocks"])) == (len(listed), min(50, len(listed)))
    assert every["pagination"]["page_size"] == 200
    assert {block["id"] for block in every["blocks"] + last["blocks"]} == listed
    counts = await got(server, "counts")
    parts = [(await got(server, f"blocks?type={kind}"))["pagination"]["total_items"]
             for kind in ("input", "action", "output")]  # fmt: skip
    assert sum(parts) == counts["all_blocks"] == len(listed)


async def test_categories_show_their_first_blocks_and_count_the_rest(server: RestServer) -> None:
    [text] = [one for one in await got(server, "categories?blocks_per_category=2")
              if one["name"] == "text"]  # fmt: skip

    whole = await got(server, "blocks?category=TEXT&page_size=200")

    assert text["total_blocks"] == whole["pagination"]["total_items"] > 2
    assert text["blocks"] == whole["blocks"][:2]


async def test_asked_for_by_id_blocks_come_in_that_order(server: RestServer) -> None:
    path = f"blocks/batch?block_ids={STORE}&block_ids={UNKNOWN}&block_ids={CALCULATOR}"

    assert [one["id"] for one in await got(server, path)] == [STORE, CALCULATOR]


async def test_a_search_finds_own_agents_and_blocks(server: RestServer) -> None:
    await server.new_graph(sample_graph(name="Template of the week"))
    await server.new_graph(sample_graph(name="Template of Bob"), user=BOB)

    found = await got(server, "search?search_query=template")

    names = [item["name"] for item in found["items"]]
    assert names[:2] == ["Template of the week", "FillTextTemplateBlock"]
    assert "Template of Bob" not in names
    assert found["total_items"]["my_agents"] == 1
    assert found["total_items"]["marketplace_agents"] == 0
    assert found["pagination"]["total_items"] == sum(found["total_items"].values())


async def test_pages_of_a_search_follow_each_other_without_a_gap(server: RestServer) -> None:
    for number in range(3):
        await server.new_graph(sample_graph(name=f"Text agent {number}"))
        server.clock.pass_time(seconds=1)
    whole = await got(server, "search?search_query=text&page_size=200")

    pages = [await got(server, f"search?search_query=text&page={n}&page_size=2") for n in (1, 2, 3)]

    ids = [item["id"] for page in pages for item in page["items"]]
    assert ids == [item["id"] for item in whole["items"][:6]]


async def test_a_filter_leaves_the_rest_out(server: RestServer) -> None:
    await server.new_graph(sample_graph(name="Template"))

    agents = await got(server, "search?search_query=template&filter=my_agents")
    blocks = await got(server, "search?search_query=template&filter=blocks&filter=integrations")

    assert [item["name"] for item in agents["items"]] == ["Template"]
    assert agents["total_items"] == {"my_agents": 1}
    assert "my_agents" not in blocks["total_items"]
    assert all("inputSchema" in item for item in blocks["items"])


async def test_searches_are_remembered_for_their_owner_alone(server: RestServer) -> None:
    mine = (await got(server, "search?search_query=private"))["search_id"]

    theirs = await got(server, f"search?search_query=mine+now&search_id={mine}", user=BOB)
    more = await got(server, f"search?search_query=private+text&search_id={mine}&filter=blocks")

    assert theirs["search_id"] != mine == more["search_id"]
    recent = (await got(server, "suggestions"))["recent_searches"]
    assert recent == [
        {
            "search_query": "private text",
            "filter": ["blocks"],
            "by_creator": None,
            "search_id": mine,
        }
    ]
    [bobs] = (await got(server, "suggestions", user=BOB))["recent_searches"]
    assert (bobs["search_query"], bobs["search_id"]) == ("mine now", theirs["search_id"])


async def test_a_menu_that_was_only_opened_is_no_search(server: RestServer) -> None:
    before = await server.row_counts()

    found = await got(server, "search")

    assert len(found["items"]) == 50
    assert found["search_id"] == ""
    assert await server.row_counts() == before


async def test_a_long_search_is_cut(server: RestServer) -> None:
    await got(server, "search?search_query=" + "x" * 5_000)

    [one] = (await got(server, "suggestions"))["recent_searches"]
    assert one["search_query"] == "x" * 100


async def test_who_has_run_nothing_is_shown_blocks_to_begin_with(server: RestServer) -> None:
    shown: Json = await got(server, "suggestions")

    assert len(shown["otto_suggestions"]) == 3
    assert "AgentInputBlock" in {block["name"] for block in shown["top_blocks"]}
    assert len(shown["top_blocks"]) == 5


#: What is wrong, path, status, what it says.
WRONG: Final[list[tuple[str, str, int, str]]] = [
    ("two ways to choose", "blocks?type=input&category=text", 400, "Only one of"),
    ("an unknown type", "blocks?type=other", 422, "input"),
    ("page 0", "blocks?page=0", 422, "greater than or equal"),
    ("a category with U+0000", "blocks?category=a%00", 422, "U+0000"),
    ("no ids", "blocks/batch", 422, "Field required"),
    ("too many ids", "blocks/batch?" + "block_ids=x&" * 501, 400, "more than 500"),
    ("fewer than no blocks", "categories?blocks_per_category=-1", 422, "greater than or equal"),
    ("providers from page 0", "providers?page=0", 422, "greater than or equal"),
    ("an unknown filter", "search?filter=everything", 422, "my_agents"),
    ("a search's id of 10 kB", "search?search_id=" + "x" * 10_000, 422, "at most"),
    ("page_size 0", "search?page_size=0", 422, "greater than or equal"),
]
REQUESTS: Final[list[tuple[str, str, str, Any, int, str]]] = [
    (what, "GET", f"{BUILDER}/{path}", None, status, says) for what, path, status, says in WRONG
]


@pytest.mark.parametrize(
    ("path", "status", "says"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
async def test_a_wrong_request_is_refused_and_nothing_is_written(
    server: RestServer, path: str, status: int, says: str
) -> None:
    before = await server.row_counts()

    response = await server.ask("GET", f"{BUILDER}/{path}")

    assert response.status_code == status, response.text
    assert says in response.text
    assert await server.row_counts() == before


@pytest.mark.parametrize(
    "path",
    ["blocks", "blocks/batch", "categories", "counts", "providers", "search", "suggestions"],
)
async def test_without_a_token_nothing_is_said(server: RestServer, path: str) -> None:
    assert (await server.client.get(f"{BUILDER}/{path}")).status_code == 401
