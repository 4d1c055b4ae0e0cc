"""Todoist: comments at tasks and projects."""

from collections.abc import Mapping
from typing import Any, Final

from backend.blocks.todoist.service import (
    MINE,
    Done,
    TodoistBase,
    account_pin,
    objects,
    one,
    send,
)
from backend.sdk import Example, Json, pin, pins
from backend.sdk.calling import Makes, Reads, Sets
from backend.sdk.services import ServiceCalls, path_of

_KINDS: Final = {"task": "task_id", "project": "project_id"}
#: For examples; the stand-in knows it.
_SAID: Final = {
    "id": "c1",
    "content": "The oat one",
    "posted_at": "2026-01-31T10:00:00Z",
    "task_id": "t1",
}
_AT_TASK: Final = {"discriminator": "task", "task_id": "t1"}
_MISSING: Final = "Todoist answers with status 404: Comment not found"


def _option(kind: str, title: str) -> dict[str, Any]:
    name = _KINDS[kind]
    return {
        "properties": {
            "discriminator": {"const": kind, "title": "Discriminator", "type": "string"},
            name: {"title": f"{kind.title()} Id", "type": "string"},
        },
        "required": ["discriminator", name],
        "title": title,
        "type": "object",
    }


def _place_pin() -> Any:
    return pin(
        default_factory=lambda: {"discriminator": "task", "task_id": ""},
        advanced=False,
        schema={
            "default": {"discriminator": "task", "task_id": ""},
            "discriminator": {
                "mapping": {"project": "#/$defs/ProjectId", "task": "#/$defs/TaskId"},
                "propertyName": "discriminator",
            },
            "oneOf": [_option("task", "TaskId"), _option("project", "ProjectId")],
        },
        description="At which task or project: discriminator is task or project.",
    )


class TodoistCreateCommentBlock(Makes, TodoistBase):
    """Writes a comment at a task or project at Todoist."""

    id = "1bba7e54-2310-4a31-8e6f-54d5f9ab7459"
    examples = (
        Example(
            inputs={"content": "Soon", "id_type": _AT_TASK, "credentials": MINE},
            outputs=[
                ("id", "c2"),
                ("content", "Soon"),
                ("posted_at", "2026-01-31T11:00:00Z"),
                ("task_id", "t1"),
            ],
        ),
        Example(
            inputs={
                "content": "Soon",
                "id_type": {"discriminator": "project", "project_id": "p1"},
                "credentials": MINE,
            },
            outputs=[
                ("id", "c2"),
                ("content", "Soon"),
                ("posted_at", "2026-01-31T11:00:00Z"),
                ("project_id", "p1"),
            ],
        ),
        Example(inputs={"content": "Soon", "credentials": MINE}, error="id_type: name a task"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        content: str = pin(description="What it says, in Markdown.")
        id_type: Any = _place_pin()
        attachment: dict[str, Any] | None = pin(
            default=None, description="A file that goes with it, as Todoist describes them."
        )

    @pins
    class Output:
        """Output pins."""

        id: str = pin(description="The comment.")
        content: str = pin(description="What it says.")
        posted_at: str = pin(description="When it was written.")
        task_id: str | None = pin(default=None, description="At which task.")
        project_id: str | None = pin(default=None, description="At which project.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Write it."""
        facts: dict[str, Json] = {"content": inputs.content, **_place(inputs.id_type)}
        if inputs.attachment:
            facts["attachment"] = inputs.attachment
        return _said(calls, await one(calls, "POST", "comments", facts))


class TodoistGetCommentsBlock(Reads, TodoistBase):
    """Lists the comments at a task or project at Todoist; 2,000 at the most."""

    id = "9972d8ae-ddf2-11ef-a9b8-32d3674e8b7e"
    examples = (
        Example(
            inputs={"id_type": _AT_TASK, "credentials": MINE},
            outputs=[("comments", [_SAID])],
        ),
        Example(
            inputs={"id_type": {"discriminator": "user"}, "credentials": MINE},
            error="id_type",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        id_type: Any = _place_pin()

    @pins
    class Output:
        """Output pins."""

        comments: list[Any] = pin(description="All that Todoist says of them.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """List them."""
        return {"comments": await objects(calls, "comments", _place(inputs.id_type))}


class TodoistGetCommentBlock(Reads, TodoistBase):
    """Reads a comment at Todoist."""

    id = "a809d264-ddf2-11ef-9764-32d3674e8b7e"
    examples = (
        Example(
            inputs={"comment_id": "c1", "credentials": MINE},
            outputs=[
                ("content", "The oat one"),
                ("id", "c1"),
                ("posted_at", "2026-01-31T10:00:00Z"),
                ("task_id", "t1"),
            ],
        ),
        Example(inputs={"comment_id": "none", "credentials": MINE}, error=_MISSING),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        comment_id: str = pin(description="The comment.")

    @pins
    class Output:
        """Output pins."""

        content: str = pin(description="What it says.")
        id: str = pin(description="The comment.")
        posted_at: str = pin(description="When it was written.")
        project_id: str | None = pin(default=None, description="At which project.")
        task_id: str | None = pin(default=None, description="At which task.")
        attachment: dict[str, Any] | None = pin(
            default=None, description="The file that goes with it."
        )

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Read it."""
        found = await one(calls, "GET", f"comments/{path_of(inputs.comment_id)}")
        said = _said(calls, found)
        attachment = found.get("file_attachment") or found.get("attachment")
        outputs = {name: said[name] for name in ("content", "id", "posted_at")}
        outputs |= {name: said[name] for name in _KINDS.values() if name in said}
        return {**outputs, **({"attachment": attachment} if attachment else {})}


class TodoistUpdateCommentBlock(Sets, TodoistBase):
    """Changes what a comment at Todoist says."""

    id = "b773c520-ddf2-11ef-9f34-32d3674e8b7e"
    examples = (
        Example(
            inputs={"comment_id": "c1", "content": "The soy one", "credentials": MINE},
            outputs=[("success", True)],
        ),
        Example(inputs={"comment_id": "none", "content": "x", "credentials": MINE}, error=_MISSING),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        comment_id: str = pin(description="The comment.")
        content: str = pin(description="What it says, in Markdown.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Change it."""
        path = f"comments/{path_of(inputs.comment_id)}"
        await send(calls, "POST", path, {"content": inputs.content})
        return {"success": True}


class TodoistDeleteCommentBlock(Sets, TodoistBase):
    """Deletes a comment at Todoist."""

    id = "bda4c020-ddf2-11ef-b114-32d3674e8b7e"
    examples = (
        Example(inputs={"comment_id": "c1", "credentials": MINE}, outputs=[("success", True)]),
        Example(inputs={"comment_id": "none", "credentials": MINE}, error=_MISSING),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        comment_id: str = pin(description="The comment.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Delete it."""
        await send(calls, "DELETE", f"comments/{path_of(inputs.comment_id)}")
        return {"success": True}


def _place(id_type: Any) -> dict[str, str]:
    """Return at what a comment is, as Todoist is asked for it. Raises ValueError."""
    said: Mapping[str, Any] = id_type if isinstance(id_type, Mapping) else {}
    name = _KINDS.get(str(said.get("discriminator")), "")
    place = said.get(name)
    if not isinstance(place, str) or not place.strip():
        raise ValueError("id_type: name a task with task_id, or a project with project_id")
    return {name: place}


def _said(calls: ServiceCalls, found: Mapping[str, Any]) -> dict[str, Any]:
    outputs = {name: calls.need(found, str, name) for name in ("id", "content", "posted_at")}
    # Its newer answers call a task an item.
    places = {"task_id": found.get("task_id") or found.get("item_id")}
    places["project_id"] = found.get("project_id")
    return {**outputs, **{name: place for name, place in places.items() if place}}
