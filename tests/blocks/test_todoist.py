"""Todoist: pages of lists, what is sent, where a task goes, and what is no answer."""

from typing import Any

import pytest

from backend.blocks.todoist.comments import TodoistGetCommentBlock
from backend.blocks.todoist.dates import deadline_of, due_of
from backend.blocks.todoist.tasks import (
    TodoistCloseTaskBlock,
    TodoistCreateTaskBlock,
    TodoistGetTasksBlock,
    TodoistUpdateTaskBlock,
)
from backend.core.block import Effect
from backend.core.errors import BlockError
from backend.sdk import BlockContext
from backend.testing.blocks import outputs_of
from backend.testing.standin import StandIn
from backend.testing.standin.messages import BROKEN, GARBAGE, LIMITED, Reply

MINE = {"id": "mine", "provider": "todoist", "type": "oauth2"}


async def test_a_list_is_read_page_after_page(services: StandIn, played: BlockContext) -> None:
    services.play("todoist").pages = 3
    try:
        outputs = await outputs_of(TodoistGetTasksBlock(), {"credentials": MINE}, played)
    finally:
        services.play("todoist").pages = 1

    assert dict(outputs)["ids"] == ["t1"] * 3
    assert [each.one("cursor") for each in services.asked] == ["", "2", "3"]
    assert {each.one("limit") for each in services.asked} == {"200"}


async def test_a_filter_goes_before_all_else(services: StandIn, played: BlockContext) -> None:
    asked = {"filter": "today & #Home", "lang": "en", "project_id": "p1", "credentials": MINE}

    await outputs_of(TodoistGetTasksBlock(), asked, played)

    [sent] = services.asked
    assert sent.path == "/api/v1/tasks/filter"
    assert (sent.one("query"), sent.one("lang")) == ("today & #Home", "en")
    assert "project_id" not in sent.query


async def test_what_is_not_given_is_not_sent(services: StandIn, played: BlockContext) -> None:
    asked = {
        "content": "Buy tea",
        "labels": [],
        "priority": 4,
        "due_date": "2030-01-31T09:30:00+01:00",
        "deadline_date": "2030-02-01",
        "duration": 15,
        "duration_unit": "minute",
        "credentials": MINE,
    }

    await outputs_of(TodoistCreateTaskBlock(), asked, played)

    assert services.asked[0].json() == {
        "content": "Buy tea",
        "labels": [],
        "priority": 4,
        "due_datetime": "2030-01-31T08:30:00Z",
        "deadline_date": "2030-02-01",
        "duration": 15,
        "duration_unit": "minute",
    }


async def test_a_task_is_changed_and_moved_to_one_place(
    services: StandIn, played: BlockContext
) -> None:
    asked = {
        "task_id": "t1",
        "content": "",
        "project_id": "p2",
        "section_id": "s2",
        "credentials": MINE,
    }

    await outputs_of(TodoistUpdateTaskBlock(), asked, played)

    assert [(each.path, each.json()) for each in services.asked] == [
        ("/api/v1/tasks/t1/move", {"section_id": "s2"})
    ]


async def test_an_id_leads_nowhere_else(services: StandIn, played: BlockContext) -> None:
    asked = {"task_id": "../projects/p1?x=", "credentials": MINE}

    with pytest.raises(BlockError, match="status 404"):
        await outputs_of(TodoistCloseTaskBlock(), asked, played)

    assert [each.path for each in services.asked] == ["/api/v1/tasks/../projects/p1?x=/close"]


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (LIMITED, "429.*Slow down"),
        (BROKEN, "status 500"),
        (GARBAGE, "not JSON"),
        (Reply(value={"results": [1]}), "cannot be used"),
        (Reply(value={"results": [{"content": "x"}]}), "it has no id"),
        (Reply(value={"tasks": []}), "it has no results"),
        (Reply(value=[]), "no JSON object"),
    ],
)
async def test_what_is_no_answer_is_told(
    services: StandIn, played: BlockContext, reply: Reply, says: str
) -> None:
    services.next("todoist", reply)

    with pytest.raises(BlockError, match=says):
        await outputs_of(TodoistGetTasksBlock(), {"credentials": MINE}, played)


async def test_a_comment_of_the_newer_api_says_its_task(
    services: StandIn, played: BlockContext
) -> None:
    file = {"file_name": "a.pdf"}
    said: dict[str, Any] = {"id": "c1", "content": "x", "posted_at": "now", "item_id": "t9"}
    services.next("todoist", Reply(value={**said, "file_attachment": file}))

    outputs = await outputs_of(
        TodoistGetCommentBlock(), {"comment_id": "c1", "credentials": MINE}, played
    )

    assert dict(outputs)["task_id"] == "t9"
    assert dict(outputs)["attachment"] == file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, {}),
        ("", {}),
        ("2030-01-31", {"due_date": "2030-01-31"}),
        ("2030-01-31T00:00:00", {"due_date": "2030-01-31"}),
        ("2030-01-31T09:30:00", {"due_datetime": "2030-01-31T09:30:00"}),
        ("2030-01-31T23:30:00Z", {"due_datetime": "2030-01-31T23:30:00Z"}),
    ],
)
def test_a_day_is_a_day_and_a_moment_a_moment(text: str | None, expected: Any) -> None:
    assert due_of(text) == expected


def test_what_is_no_day_is_refused() -> None:
    for read in (due_of, deadline_of):
        with pytest.raises(ValueError, match="is no day"):
            read("tomorrow")


async def test_a_duration_needs_its_unit(played: BlockContext) -> None:
    asked = {"content": "x", "duration": 5, "credentials": MINE}

    with pytest.raises(BlockError, match="go together"):
        await outputs_of(TodoistCreateTaskBlock(), asked, played)


def test_what_would_be_done_twice_is_not_repeated() -> None:
    # A task that repeats goes on by a day each time that it is closed.
    assert TodoistCloseTaskBlock.effect is Effect.AT_MOST_ONCE
    assert TodoistCreateTaskBlock.effect is Effect.AT_MOST_ONCE
