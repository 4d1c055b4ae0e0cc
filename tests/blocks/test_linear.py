"""Linear: what people wrote is never part of a question, and lists are read to their end."""

from typing import Any

import pytest

from backend.blocks.linear.issues import (
    LinearCreateIssueBlock,
    LinearGetProjectIssuesBlock,
    LinearSearchIssuesBlock,
)
from backend.core.errors import BlockError, ServiceLimited
from backend.sdk import BlockContext
from backend.testing.blocks import outputs_of
from backend.testing.standin import KEY, Reply, StandIn

MINE = {"id": "mine", "provider": "linear", "type": "api_key"}


async def test_a_key_goes_bare_and_a_token_with_its_scheme(
    services: StandIn, played: BlockContext
) -> None:
    for kind in ("api_key", "oauth2"):
        asked = {"term": "purr", "credentials": {**MINE, "type": kind}}
        await outputs_of(LinearSearchIssuesBlock(), asked, played)

    shown = [asked.headers["authorization"] for asked in services.asked]
    assert shown == [KEY, f"Bearer {KEY}"]


async def test_a_search_is_read_page_after_page(services: StandIn, played: BlockContext) -> None:
    services.play("linear").pages = 3
    term = '") { viewer { id } } #'

    [(_, issues)] = await outputs_of(
        LinearSearchIssuesBlock(), {"term": term, "credentials": MINE}, played
    )

    services.play("linear").pages = 1
    sent = [asked.json() for asked in services.asked]
    assert [each["variables"]["after"] for each in sent] == [None, "2", "3"]
    assert len(issues) == 3
    assert all(each["variables"]["term"] == term not in each["query"] for each in sent)


async def test_issues_of_a_project_are_those_with_the_status(
    services: StandIn, played: BlockContext
) -> None:
    asked = {"project": "Cats", "status": "Todo", "credentials": MINE}

    await outputs_of(LinearGetProjectIssuesBlock(), asked, played)

    sent = services.asked[-1].json()
    assert sent["variables"]["filter"] == {
        "project": {"name": {"eq": "Cats"}},
        "state": {"name": {"eq": "Todo"}},
        "assignee": {"null": True},
    }
    assert "comments" not in sent["query"]


async def test_an_issue_goes_to_the_team_and_the_project_that_are_named(
    services: StandIn, played: BlockContext
) -> None:
    asked: dict[str, Any] = {"title": "x", "description": None, "team_name": " Cats ",
                             "project_name": "Cats", "priority": 0, "credentials": MINE}  # fmt: skip

    await outputs_of(LinearCreateIssueBlock(), {**asked, "description": "y"}, played)

    assert services.asked[-1].json()["variables"]["input"] == {
        "teamId": "teams-1",
        "title": "x",
        "description": "y",
        "priority": 0,
        "projectId": "projects-1",
    }


async def test_a_limit_comes_in_an_answer_of_400(services: StandIn, played: BlockContext) -> None:
    error = {"message": "Rate limit exceeded", "extensions": {"code": "RATELIMITED"}}
    services.next("linear", Reply(status=400, value={"errors": [error]}))

    with pytest.raises(BlockError, match="Rate limit exceeded") as caught:
        await outputs_of(LinearSearchIssuesBlock(), {"term": "x", "credentials": MINE}, played)

    assert isinstance(caught.value.__cause__, ServiceLimited)
