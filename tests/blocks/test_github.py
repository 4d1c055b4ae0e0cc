"""GitHub: what an address names, lists page after page, files of all sizes."""

from dataclasses import replace
from typing import Any

import pytest

from backend.blocks.build_index import discover
from backend.blocks.github.service import in_repository, issue_path, pull_path
from backend.core.errors import BlockError, ServiceLimited
from backend.sdk import BlockContext
from backend.testing.blocks import outputs_of
from backend.testing.standin import Reply, StandIn

BLOCKS = {block.__name__: block for block in discover()}
MINE = {"id": "mine", "provider": "github", "type": "api_key"}
CATS = {"repo_url": "ann/cats", "credentials": MINE}


async def run(name: str, played: BlockContext, /, **inputs: Any) -> list[tuple[str, Any]]:
    inputs = {"credentials": MINE, **inputs}
    return await outputs_of(BLOCKS[f"Github{name}Block"](), inputs, played)


@pytest.mark.parametrize(
    "place",
    [
        "ann/cats",
        "github.com/ann/cats",
        "https://github.com/ann/cats",
        "https://github.com/ann/cats.git",
        "https://github.example.com/ann/cats/tree/main?x=1#y",
        " https://www.github.com/ann/cats/ ",
    ],
)
def test_a_repository_has_many_addresses(place: str) -> None:
    assert in_repository(place, "tags") == "repos/ann/cats/tags"


@pytest.mark.parametrize("place", ["", "cats", "https://github.com/ann", "ann/..", "a b/cats"])
def test_what_names_no_repository_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="is no repository"):
        in_repository(place)


def test_an_issue_is_named_by_its_address() -> None:
    assert issue_path("https://github.com/ann/cats/issues/7#top") == "repos/ann/cats/issues/7"
    assert issue_path("https://github.com/ann/cats/pull/7") == "repos/ann/cats/issues/7"
    assert pull_path("ann/cats/pull/7/files") == "repos/ann/cats/pulls/7"
    for place in ("ann/cats/issues/x", "ann/cats/issues", "ann/cats/wiki/7"):
        with pytest.raises(ValueError, match="names no number"):
            issue_path(place)


async def test_a_list_is_read_page_after_page(services: StandIn, played: BlockContext) -> None:
    services.play("github").pages["branches"] = 3

    outputs = await run("ListBranches", played, **CATS)

    del services.play("github").pages["branches"]
    assert [asked.one("page") for asked in services.asked] == ["1", "2", "3"]
    assert services.asked[0].one("per_page") == "100"
    assert len(dict(outputs)["branches"]) == 3


async def test_pull_requests_are_no_issues(played: BlockContext) -> None:
    outputs = dict(await run("ListIssues", played, **CATS))

    assert [issue["title"] for issue in outputs["issues"]] == ["It meows"]


async def test_a_file_over_a_megabyte_is_fetched_in_another_way(
    services: StandIn, played: BlockContext
) -> None:
    outputs = dict(await run("ReadFile", played, **CATS, file_path="large.bin", branch="main"))

    assert outputs["size"] == 1_100_000
    assert outputs["text_content"] == "x" * 1_100_000
    assert "raw" in services.asked[-1].headers["accept"]


async def test_slashes_of_a_path_and_nothing_else_lead_on(
    services: StandIn, played: BlockContext
) -> None:
    with pytest.raises(BlockError, match=r"'\.\.' cannot stand in an address"):
        await run("ReadFile", played, **CATS, file_path="src/../../x")

    assert services.asked == []


async def test_a_branch_begins_where_another_one_is(
    services: StandIn, played: BlockContext
) -> None:
    await run("MakeBranch", played, **CATS, new_branch="a/b", source_branch="main")

    assert services.asked[-1].json() == {"ref": "refs/heads/a/b", "sha": "a1"}


async def test_a_review_carries_its_comments(services: StandIn, played: BlockContext) -> None:
    comments = [
        {"path": "a", "body": "x", "line": 3, "side": "RIGHT"},
        {"path": "a", "body": "y", "position": 2, "side": "RIGHT", "line": None},
    ]

    await run("CreatePRReview", played, repo="ann/cats", pr_number=2, body="So", comments=comments)

    assert services.asked[-1].json() == {
        "body": "So",
        "event": "COMMENT",
        "comments": [
            {"path": "a", "body": "x", "line": 3, "side": "RIGHT"},
            {"path": "a", "body": "y", "position": 2},
        ],
    }


async def test_what_is_settled_is_looked_for_on_all_pages(
    services: StandIn, played: BlockContext
) -> None:
    await run("ResolveReviewDiscussion", played, repo="ann/cats", pr_number=2, comment_id=31)

    asked = [each.json() for each in services.asked]
    assert [each["variables"].get("after") for each in asked] == [None, "second", None]
    assert asked[-1]["variables"] == {"thread": "T2"}
    assert "31" not in asked[-1]["query"]


async def test_a_check_says_what_it_has_to_say(services: StandIn, played: BlockContext) -> None:
    said = {"name": "purrs", "head_sha": "a1", "output_summary": "All of them"}

    await run("CreateCheckRun", played, **CATS, **said)

    output = {"title": "Result", "summary": "All of them"}
    assert services.asked[-1].json()["output"] == output


async def test_a_pattern_that_is_none_is_said(played: BlockContext) -> None:
    with pytest.raises(BlockError, match=r"(?i)pattern|expression"):
        await run("GetCIResults", played, repo="ann/cats", target="main", search_pattern="(")


async def test_a_quota_that_is_spent_says_when_there_is_a_new_one(
    services: StandIn, played: BlockContext
) -> None:
    at = int(played.now().timestamp()) + 90
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(at)}
    words = {"message": "API rate limit exceeded for user ID 1."}
    services.next("github", Reply(status=403, value=words, headers=headers))

    with pytest.raises(BlockError) as caught:
        await run("ListTags", replace(played), **CATS)

    assert isinstance(caught.value.__cause__, ServiceLimited)
    assert caught.value.__cause__.retry_after_s == pytest.approx(90, abs=2)
