"""Todoist: sections of projects."""

from typing import Any, Final

from backend.blocks.todoist.service import (
    MINE,
    Done,
    TodoistBase,
    account_pin,
    objects,
    one,
    order_in,
    send,
)
from backend.sdk import Example, pin, pins
from backend.sdk.calling import Reads, Sets
from backend.sdk.services import ServiceCalls, path_of

#: For examples; the stand-in knows it.
_KITCHEN: Final = {"id": "s1", "project_id": "p1", "name": "Kitchen", "section_order": 3}
_MISSING: Final = "Todoist answers with status 404: Section not found"


class TodoistListSectionsBlock(Reads, TodoistBase):
    """Lists the sections of a project at Todoist, or of all; 2,000 at the most."""

    id = "d6a116d8-de14-11ef-a94c-32d3674e8b7e"
    examples = (
        Example(
            inputs={"project_id": "p1", "credentials": MINE},
            outputs=[
                ("names_list", ["Kitchen"]),
                ("ids_list", ["s1"]),
                ("complete_data", [_KITCHEN]),
            ],
        ),
        Example(
            inputs={"project_id": "p2", "credentials": MINE},
            outputs=[("names_list", []), ("ids_list", []), ("complete_data", [])],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        project_id: str | None = pin(description="The project; empty: all of them.")

    @pins
    class Output:
        """Output pins."""

        names_list: list[str] = pin(description="What they are called.")
        ids_list: list[str] = pin(description="The sections.")
        complete_data: list[dict[str, Any]] = pin(description="All that Todoist says of them.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """List them."""
        found = await objects(calls, "sections", {"project_id": inputs.project_id or None})
        return {
            "names_list": [str(each.get("name") or "") for each in found],
            "ids_list": [each["id"] for each in found],
            "complete_data": found,
        }


class TodoistGetSectionBlock(Reads, TodoistBase):
    """Reads a section at Todoist."""

    id = "ea5580e2-de14-11ef-a5d3-32d3674e8b7e"
    examples = (
        Example(
            inputs={"section_id": "s1", "credentials": MINE},
            outputs=[("id", "s1"), ("project_id", "p1"), ("order", 3), ("name", "Kitchen")],
        ),
        Example(inputs={"section_id": "none", "credentials": MINE}, error=_MISSING),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        section_id: str = pin(description="The section.")

    @pins
    class Output:
        """Output pins."""

        id: str = pin(description="The section.")
        project_id: str = pin(description="Its project.")
        order: int = pin(description="Its place in the project.")
        name: str = pin(description="What it is called.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Read it."""
        found = await one(calls, "GET", f"sections/{path_of(inputs.section_id)}")
        return {
            "id": calls.need(found, str, "id"),
            "project_id": calls.need(found, str, "project_id"),
            "order": order_in(found, "order", "section_order"),
            "name": calls.need(found, str, "name"),
        }


class TodoistDeleteSectionBlock(Sets, TodoistBase):
    """Deletes a section at Todoist, with its tasks."""

    id = "f0e52eee-de14-11ef-9b12-32d3674e8b7e"
    examples = (
        Example(inputs={"section_id": "s1", "credentials": MINE}, outputs=[("success", True)]),
        Example(inputs={"section_id": "none", "credentials": MINE}, error=_MISSING),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        section_id: str = pin(description="The section.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Delete it."""
        await send(calls, "DELETE", f"sections/{path_of(inputs.section_id)}")
        return {"success": True}
