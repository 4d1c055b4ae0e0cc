"""Todoist: tasks that are written, found, changed, closed, opened again and deleted."""

from typing import Any, Final

from backend.blocks.todoist.dates import deadline_of, due_of
from backend.blocks.todoist.service import (
    MINE,
    Done,
    TodoistBase,
    account_pin,
    address_of,
    given,
    objects,
    one,
    send,
)
from backend.sdk import Example, Json, pin, pins
from backend.sdk.calling import Makes, Reads, Sets
from backend.sdk.services import ServiceCalls, path_of

_MOMENT: Final = {"anyOf": [{"format": "date-time", "type": "string"}, {"type": "null"}]}
#: For examples; the stand-in knows it.
_MILK: Final = {
    "id": "t1",
    "content": "Buy milk",
    "project_id": "p1",
    "labels": ["home"],
    "priority": 1,
}
_MILK_URL: Final = "https://app.todoist.com/app/task/t1"


class TodoistCreateTaskBlock(Makes, TodoistBase):
    """Writes a task at Todoist."""

    id = "fde4f458-de14-11ef-bf0c-32d3674e8b7e"
    examples = (
        Example(
            inputs={"content": "Buy tea", "project_id": "p1", "credentials": MINE},
            outputs=[
                ("id", "t2"),
                ("url", "https://app.todoist.com/app/task/t2"),
                ("complete_data", {"id": "t2", "content": "Buy tea", "project_id": "p1"}),
            ],
        ),
        Example(
            inputs={"content": "Buy tea", "project_id": "none", "credentials": MINE},
            error="Todoist answers with status 404: Project not found",
        ),
        Example(inputs={"content": " ", "credentials": MINE}, error="a task has some words"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        content: str = pin(description="What is to be done; Markdown may stand in it.")
        description: str | None = pin(
            default=None, advanced=False, description="More about it, in Markdown."
        )
        project_id: str | None = pin(
            default=None, advanced=False, description="Its project; else the inbox."
        )
        section_id: str | None = pin(
            default=None, advanced=False, description="The section of the project."
        )
        parent_id: str | None = pin(default=None, description="The task that it is a part of.")
        order: int | None = pin(default=None, description="Its place among its neighbours.")
        labels: list[str] | None = pin(default=None, description="Names of labels.")
        priority: int | None = pin(default=None, description="1 to 4; 4 is the most urgent.")
        due_date: str | None = pin(
            default=None,
            schema=_MOMENT,
            description="When it is due: a day, or a day and a time.",
        )
        deadline_date: str | None = pin(
            default=None, schema=_MOMENT, description="The day by which it must be done."
        )
        assignee_id: str | None = pin(default=None, description="Who is to do it.")
        duration_unit: str | None = pin(default=None, description="minute or day.")
        duration: int | None = pin(
            default=None,
            depends_on=["duration_unit"],
            description="How many of them it takes.",
        )

    @pins
    class Output:
        """Output pins."""

        id: str = pin(description="The task.")
        url: str = pin(description="Where people see it.")
        complete_data: dict[str, Any] = pin(description="All that Todoist says of it.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Write it."""
        if not inputs.content.strip():
            raise ValueError("a task has some words")
        placed = given(
            project_id=inputs.project_id, section_id=inputs.section_id, parent_id=inputs.parent_id
        )
        made = await one(calls, "POST", "tasks", {**_facts(inputs), **placed})
        return {
            "id": calls.need(made, str, "id"),
            "url": address_of("task", made),
            "complete_data": made,
        }


class TodoistGetTasksBlock(Reads, TodoistBase):
    """Lists the open tasks at Todoist that fit; 2,000 at the most."""

    id = "0b706e86-de15-11ef-a113-32d3674e8b7e"
    examples = (
        Example(
            inputs={"project_id": "p1", "credentials": MINE},
            outputs=[("ids", ["t1"]), ("urls", [_MILK_URL]), ("complete_data", [_MILK])],
        ),
        Example(
            inputs={"filter": "today", "credentials": MINE},
            outputs=[("ids", []), ("urls", []), ("complete_data", [])],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        project_id: str | None = pin(default=None, advanced=False, description="Of this project.")
        section_id: str | None = pin(default=None, description="Of this section.")
        label: str | None = pin(default=None, description="With the label of this name.")
        filter: str | None = pin(
            default=None,
            description="As people write it in Todoist, like: today | overdue. It goes before all else.",
        )
        lang: str | None = pin(default=None, description="The language of the filter, like en.")
        ids: list[str] | None = pin(default=None, advanced=False, description="These alone.")

    @pins
    class Output:
        """Output pins."""

        ids: list[str] = pin(description="The tasks.")
        urls: list[str] = pin(description="Where people see them.")
        complete_data: list[dict[str, Any]] = pin(description="All that Todoist says of them.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """List them."""
        if inputs.filter:
            asked = {"query": inputs.filter, "lang": inputs.lang or None}
            found = await objects(calls, "tasks/filter", asked)
        else:
            found = await objects(
                calls,
                "tasks",
                {
                    "project_id": inputs.project_id or None,
                    "section_id": inputs.section_id or None,
                    "label": inputs.label or None,
                    "ids": ",".join(inputs.ids) if inputs.ids else None,
                },
            )
        return {
            "ids": [each["id"] for each in found],
            "urls": [address_of("task", each) for each in found],
            "complete_data": found,
        }


class TodoistGetTaskBlock(Reads, TodoistBase):
    """Reads a task at Todoist."""

    id = "16d7dc8c-de15-11ef-8ace-32d3674e8b7e"
    examples = (
        Example(
            inputs={"task_id": "t1", "credentials": MINE},
            outputs=[("project_id", "p1"), ("url", _MILK_URL), ("complete_data", _MILK)],
        ),
        Example(
            inputs={"task_id": "none", "credentials": MINE},
            error="Todoist answers with status 404: Task not found",
        ),
        Example(inputs={"task_id": " ", "credentials": MINE}, error="cannot stand in an address"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        task_id: str = pin(description="The task.")

    @pins
    class Output:
        """Output pins."""

        project_id: str = pin(description="Its project.")
        url: str = pin(description="Where people see it.")
        complete_data: dict[str, Any] = pin(description="All that Todoist says of it.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Read it."""
        found = await one(calls, "GET", f"tasks/{path_of(inputs.task_id)}")
        calls.need(found, str, "id")
        return {
            "project_id": calls.need(found, str, "project_id"),
            "url": address_of("task", found),
            "complete_data": found,
        }


class TodoistUpdateTaskBlock(Sets, TodoistBase):
    """Changes a task at Todoist, and moves it where it is given another place."""

    id = "1eee6d32-de15-11ef-a2ff-32d3674e8b7e"
    examples = (
        Example(
            inputs={
                "task_id": "t1",
                "content": "Buy oat milk",
                "section_id": "s1",
                "credentials": MINE,
            },
            outputs=[("success", True)],
        ),
        Example(
            inputs={"task_id": "none", "content": "x", "credentials": MINE},
            error="Todoist answers with status 404: Task not found",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        task_id: str = pin(description="The task.")
        content: str = pin(description="What is to be done; empty: as it is.")
        description: str | None = pin(default=None, advanced=False, description="More about it.")
        project_id: str | None = pin(
            default=None, advanced=False, description="The project to move it to."
        )
        section_id: str | None = pin(
            default=None, advanced=False, description="The section to move it to."
        )
        parent_id: str | None = pin(default=None, description="The task to move it below.")
        order: int | None = pin(default=None, description="Its place among its neighbours.")
        labels: list[str] | None = pin(default=None, description="Names of all its labels.")
        priority: int | None = pin(default=None, description="1 to 4; 4 is the most urgent.")
        due_date: str | None = pin(default=None, schema=_MOMENT, description="When it is due.")
        deadline_date: str | None = pin(
            default=None, schema=_MOMENT, description="The day by which it must be done."
        )
        assignee_id: str | None = pin(default=None, description="Who is to do it.")
        duration_unit: str | None = pin(default=None, description="minute or day.")
        duration: int | None = pin(
            default=None,
            depends_on=["duration_unit"],
            description="How many of them it takes.",
        )

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Change it, then move it: to one place, the innermost that is given."""
        path = f"tasks/{path_of(inputs.task_id)}"
        if facts := _facts(inputs):
            await send(calls, "POST", path, facts)
        places = given(
            parent_id=inputs.parent_id, section_id=inputs.section_id, project_id=inputs.project_id
        )
        for name, place in list(places.items())[:1]:
            await send(calls, "POST", f"{path}/move", {name: place})
        return {"success": True}


class OneTaskBase(TodoistBase):
    """Does one thing with one task."""

    method = "POST"
    deed = ""

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        task_id: str = pin(description="The task.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Do it."""
        await send(calls, self.method, f"tasks/{path_of(inputs.task_id)}{self.deed}")
        return {"success": True}


class TodoistCloseTaskBlock(Makes, OneTaskBase):
    """Closes a task at Todoist as done; one that repeats goes on to its next day."""

    id = "29fac798-de15-11ef-b839-32d3674e8b7e"
    deed = "/close"
    examples = (
        Example(inputs={"task_id": "t1", "credentials": MINE}, outputs=[("success", True)]),
        Example(
            inputs={"task_id": "none", "credentials": MINE},
            error="Todoist answers with status 404: Task not found",
        ),
    )


class TodoistReopenTaskBlock(Sets, OneTaskBase):
    """Opens a task at Todoist again."""

    id = "2e6bf6f8-de15-11ef-ae7c-32d3674e8b7e"
    deed = "/reopen"
    examples = (
        Example(inputs={"task_id": "t1", "credentials": MINE}, outputs=[("success", True)]),
    )


class TodoistDeleteTaskBlock(Sets, OneTaskBase):
    """Deletes a task at Todoist."""

    id = "33c29ada-de15-11ef-bcbb-32d3674e8b7e"
    method = "DELETE"
    examples = (
        Example(inputs={"task_id": "t1", "credentials": MINE}, outputs=[("success", True)]),
        Example(
            inputs={"task_id": "none", "credentials": MINE},
            error="Todoist answers with status 404: Task not found",
        ),
    )


def _facts(inputs: Any) -> dict[str, Json]:
    """Return what is said of a task, but for its place."""
    if (inputs.duration is None) != (inputs.duration_unit is None):
        raise ValueError("duration and duration_unit go together")
    return given(
        content=inputs.content or None,
        description=inputs.description,
        order=inputs.order,
        labels=inputs.labels,
        priority=inputs.priority,
        assignee_id=inputs.assignee_id,
        duration=inputs.duration,
        duration_unit=inputs.duration_unit,
        deadline_date=deadline_of(inputs.deadline_date),
        **due_of(inputs.due_date),
    )
