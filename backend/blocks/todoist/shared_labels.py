"""Todoist: labels on tasks that people share; they have names, and no ids."""

from typing import Any

from backend.blocks.todoist.service import MINE, Done, TodoistBase, account_pin, listed, send
from backend.sdk import Example, pin, pins
from backend.sdk.calling import Reads, Sets
from backend.sdk.services import ServiceCalls


class TodoistGetSharedLabelsBlock(Reads, TodoistBase):
    """Lists the names of labels on shared tasks at Todoist; 2,000 at the most."""

    id = "55fba510-de15-11ef-aed2-32d3674e8b7e"
    examples = (Example(inputs={"credentials": MINE}, outputs=[("labels", ["errands", "garden"])]),)

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()

    @pins
    class Output:
        """Output pins."""

        labels: list[Any] = pin(description="The names.")

    async def work(self, calls: ServiceCalls, _inputs: Input) -> dict[str, Any]:
        """List them."""
        return {"labels": await listed(calls, "labels/shared")}


class TodoistRenameSharedLabelsBlock(Sets, TodoistBase):
    """Gives a label on shared tasks at Todoist another name."""

    id = "9d63ad9a-de14-11ef-ab3f-32d3674e8b7e"
    examples = (
        Example(
            inputs={"name": "garden", "new_name": "yard", "credentials": MINE},
            outputs=[("success", True)],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        name: str = pin(description="What it is called.")
        new_name: str = pin(description="What it is to be called.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Rename it."""
        names = {"name": inputs.name, "new_name": inputs.new_name}
        await send(calls, "POST", "labels/shared/rename", names)
        return {"success": True}


class TodoistRemoveSharedLabelsBlock(Sets, TodoistBase):
    """Takes a label off all shared tasks at Todoist."""

    id = "a6c5cbde-de14-11ef-8863-32d3674e8b7e"
    examples = (
        Example(inputs={"name": "garden", "credentials": MINE}, outputs=[("success", True)]),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        name: str = pin(description="What it is called.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Take it off."""
        await send(calls, "POST", "labels/shared/remove", {"name": inputs.name})
        return {"success": True}
