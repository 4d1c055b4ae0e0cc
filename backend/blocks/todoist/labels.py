"""Todoist: labels of one's own."""

from typing import Any, Final

from backend.blocks.todoist.service import (
    MINE,
    Done,
    TodoistBase,
    account_pin,
    color_pin,
    given,
    objects,
    one,
    order_in,
    send,
)
from backend.sdk import Example, pin, pins
from backend.sdk.calling import Makes, Reads, Sets
from backend.sdk.services import ServiceCalls, path_of

#: For examples; the stand-in knows it.
_HOME: Final = {"id": "l1", "name": "home", "color": "blue", "order": 1, "is_favorite": True}
_MISSING: Final = "Todoist answers with status 404: Label not found"


@pins
class OneLabel:
    """A label."""

    id: str = pin(description="The label.")
    name: str = pin(description="What it is called.")
    color: str = pin(description="Its colour.")
    order: int = pin(description="Its place among the others.")
    is_favorite: bool = pin(description="Whether it stands among favourites.")


class TodoistCreateLabelBlock(Makes, TodoistBase):
    """Makes a label at Todoist."""

    id = "7288a968-de14-11ef-8997-32d3674e8b7e"
    examples = (
        Example(
            inputs={"name": "work", "color": "red", "credentials": MINE},
            outputs=[
                ("id", "l2"),
                ("name", "work"),
                ("color", "red"),
                ("order", 0),
                ("is_favorite", False),
            ],
        ),
        Example(
            inputs={"name": "home", "credentials": MINE},
            error="Todoist answers with status 400: Label already exists",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        name: str = pin(description="What it is called.")
        order: int | None = pin(default=None, description="Its place among the others.")
        color: str | None = color_pin("charcoal")
        is_favorite: bool = pin(default=False, description="Whether it stands among favourites.")

    Output = OneLabel

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Make it."""
        facts = given(
            name=inputs.name,
            order=inputs.order,
            color=inputs.color,
            is_favorite=inputs.is_favorite,
        )
        return _label(calls, await one(calls, "POST", "labels", facts))


class TodoistListLabelsBlock(Reads, TodoistBase):
    """Lists the labels at Todoist; 2,000 at the most."""

    id = "776dd750-de14-11ef-b927-32d3674e8b7e"
    examples = (
        Example(
            inputs={"credentials": MINE},
            outputs=[
                ("labels", [_HOME]),
                ("label_ids", ["l1"]),
                ("label_names", ["home"]),
            ],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()

    @pins
    class Output:
        """Output pins."""

        labels: list[Any] = pin(description="All that Todoist says of them.")
        label_ids: list[Any] = pin(description="The labels.")
        label_names: list[Any] = pin(description="What they are called.")

    async def work(self, calls: ServiceCalls, _inputs: Input) -> dict[str, Any]:
        """List them."""
        found = await objects(calls, "labels")
        return {
            "labels": found,
            "label_ids": [each["id"] for each in found],
            "label_names": [str(each.get("name") or "") for each in found],
        }


class TodoistGetLabelBlock(Reads, TodoistBase):
    """Reads a label at Todoist."""

    id = "7f236514-de14-11ef-bd7a-32d3674e8b7e"
    examples = (
        Example(
            inputs={"label_id": "l1", "credentials": MINE},
            outputs=list(_HOME.items()),
        ),
        Example(inputs={"label_id": "none", "credentials": MINE}, error=_MISSING),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        label_id: str = pin(description="The label.")

    Output = OneLabel

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Read it."""
        return _label(calls, await one(calls, "GET", f"labels/{path_of(inputs.label_id)}"))


class TodoistUpdateLabelBlock(Sets, TodoistBase):
    """Changes a label at Todoist; but for whether it is a favourite, what is not given stays."""

    id = "8755614c-de14-11ef-9b56-32d3674e8b7e"
    examples = (
        Example(
            inputs={"label_id": "l1", "name": "house", "credentials": MINE},
            outputs=[("success", True)],
        ),
        Example(inputs={"label_id": "none", "credentials": MINE}, error=_MISSING),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        label_id: str = pin(description="The label.")
        name: str | None = pin(default=None, description="What it is called.")
        order: int | None = pin(default=None, description="Its place among the others.")
        color: str | None = color_pin(None)
        is_favorite: bool = pin(default=False, description="Whether it stands among favourites.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Change it."""
        facts = given(
            name=inputs.name or None,
            order=inputs.order,
            color=inputs.color,
            is_favorite=inputs.is_favorite,
        )
        await send(calls, "POST", f"labels/{path_of(inputs.label_id)}", facts)
        return {"success": True}


class TodoistDeleteLabelBlock(Sets, TodoistBase):
    """Deletes a label at Todoist, and takes it off all tasks."""

    id = "901b8f86-de14-11ef-98b8-32d3674e8b7e"
    examples = (
        Example(inputs={"label_id": "l1", "credentials": MINE}, outputs=[("success", True)]),
        Example(inputs={"label_id": "none", "credentials": MINE}, error=_MISSING),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        label_id: str = pin(description="The label.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Delete it."""
        await send(calls, "DELETE", f"labels/{path_of(inputs.label_id)}")
        return {"success": True}


def _label(calls: ServiceCalls, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": calls.need(found, str, "id"),
        "name": calls.need(found, str, "name"),
        "color": str(found.get("color") or ""),
        "order": order_in(found, "order"),
        "is_favorite": bool(found.get("is_favorite")),
    }
