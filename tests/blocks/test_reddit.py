"""Reddit: lists page after page, refusals in answers of success, names with and without a kind."""

from typing import Any

import pytest

from backend.blocks.build_index import discover
from backend.blocks.reddit.service import community, full_name, person
from backend.core.errors import BlockError, ServiceLimited
from backend.sdk import BlockContext
from backend.testing.blocks import outputs_of
from backend.testing.standin import StandIn

BLOCKS = {block.__name__: block for block in discover()}
MINE = {"id": "mine", "provider": "reddit", "type": "oauth2"}


async def run(name: str, played: BlockContext, /, **inputs: Any) -> list[tuple[str, Any]]:
    inputs = {"credentials": MINE, **inputs}
    return await outputs_of(BLOCKS[f"{name}Block"](), inputs, played)


async def test_posts_are_read_page_after_page_as_they_were_written(
    services: StandIn, played: BlockContext
) -> None:
    outputs = await run("GetRedditPosts", played, subreddit="cats", post_limit=150)

    assert [value["post_id"] for name, value in outputs if name == "post"] == ["p1", "p2"]
    assert [asked.one("after") for asked in services.asked] == ["", "t3_p1"]
    assert {(asked.one("limit"), asked.one("raw_json")) for asked in services.asked} == {
        ("100", "1")
    }


async def test_no_more_is_read_than_is_asked_for(services: StandIn, played: BlockContext) -> None:
    await run("GetRedditPosts", played, subreddit="cats", post_limit=1)

    assert [asked.one("limit") for asked in services.asked] == ["1"]


async def test_a_break_that_the_service_asks_for_is_taken(played: BlockContext) -> None:
    with pytest.raises(BlockError) as caught:
        await run("CreateRedditPost", played, subreddit="quiet", title="Meow")

    assert isinstance(caught.value.__cause__, ServiceLimited)
    assert caught.value.__cause__.retry_after_s == 90.5


async def test_a_link_is_posted_in_place_of_a_text(services: StandIn, played: BlockContext) -> None:
    more = {"url": "https://example.com/", "content": "x", "flair_id": "f1"}

    await run("CreateRedditPost", played, subreddit="/r/cats", title="Look", **more)

    place, form = services.play("reddit").forms[-1]
    assert (place, form["sr"], form["kind"]) == ("/api/submit", "cats", "link")
    assert (form["url"], form["flair_id"]) == ("https://example.com/", "f1")
    assert "text" not in form


async def test_an_answer_goes_below_its_comment(services: StandIn, played: BlockContext) -> None:
    await run("ReplyToRedditComment", played, comment_id="C1", reply_text="a & b")

    place, form = services.play("reddit").forms[-1]
    assert (place, form["thing_id"], form["text"]) == ("/api/comment", "t1_c1", "a & b")


async def test_what_was_new_is_said_to_have_been_read(
    services: StandIn, played: BlockContext
) -> None:
    await run("GetRedditInbox", played, inbox_type="comment_replies")
    await run("GetRedditInbox", played, inbox_type="all", mark_read=True)

    assert [asked.path for asked in services.asked] == [
        "/message/comments",
        "/message/inbox",
        "/api/read_message",
    ]
    assert services.play("reddit").forms[-1][1] == {"id": "t4_m1"}


async def test_a_search_in_one_community_stays_there(
    services: StandIn, played: BlockContext
) -> None:
    await run("SearchReddit", played, query="x", limit=1)
    await run("SearchReddit", played, query="x", limit=1, subreddit="cats", time_filter="week")

    assert [(asked.path, asked.one("restrict_sr")) for asked in services.asked] == [
        ("/search", "false"),
        ("/r/cats/search", "true"),
    ]
    assert services.asked[-1].one("t") == "week"


def test_names_are_taken_as_people_write_them() -> None:
    assert {community(name) for name in ("cats", "r/cats", "/r/cats/")} == {"r/cats"}
    assert {person(name) for name in ("ann", "u/ann", "/user/ann")} == {"user/ann"}
    assert {full_name("t3", name) for name in ("p1", " t3_P1")} == {"t3_p1"}


@pytest.mark.parametrize("name", ["", "../x", "a b", "x?y", "r/"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a community"):
        community(name)
