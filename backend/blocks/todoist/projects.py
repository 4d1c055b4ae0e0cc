"""Todoist: projects, and who works in them."""

from typing import Any, Final

from backend.blocks.todoist.service import (
    MINE,
    Done,
    TodoistBase,
    account_pin,
    address_of,
    color_pin,
    given,
    objects,
    one,
    send,
)
from backend.sdk import Example, pin, pins
from backend.sdk.calling import Makes, Reads, Sets
from backend.sdk.services import ServiceCalls, path_of

#: For examples; the stand-in knows it.
_HOME: Final = {"id": "p1", "name": "Home", "color": "charcoal", "is_favorite": False}
_HOME_URL: Final = "https://app.todoist.com/app/project/p1"
_ANN: Final = {"id": "u1", "name": "Ann", "email": "ann@example.com"}
_MISSING: Final = "Todoist answers with status 404: Project not found"


class TodoistListProjectsBlock(Reads, TodoistBase):
    """Lists the projects at Todoist; 2,000 at the most."""

    id = "5f3e1d5b-6bc5-40e3-97ee-1318b3f38813"
    examples = (
        Example(
            inputs={"credentials": MINE},
            outputs=[
                ("names_list", ["Home"]),
                ("ids_list", ["p1"]),
                ("url_list", [_HOME_URL]),
                ("complete_data", [_HOME]),
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

        names_list: list[str] = pin(description="What they are called.")
        ids_list: list[str] = pin(description="The projects.")
        url_list: list[str] = pin(description="Where people see them.")
        complete_data: list[dict[str, Any]] = pin(description="All that Todoist says of them.")

    async def work(self, calls: ServiceCalls, _inputs: Input) -> dict[str, Any]:
        """List them."""
        found = await objects(calls, "projects")
        return {
            "names_list": [str(each.get("name") or "") for each in found],
            "ids_list": [each["id"] for each in found],
            "url_list": [address_of("project", each) for each in found],
            "complete_data": found,
        }


class TodoistCreateProjectBlock(Makes, TodoistBase):
    """Makes a project at Todoist."""

    id = "ade60136-de14-11ef-b5e5-32d3674e8b7e"
    examples = (
        Example(inputs={"name": "Work", "credentials": MINE}, outputs=[("success", True)]),
        Example(
            inputs={"name": "Work", "parent_id": "none", "credentials": MINE},
            error=_MISSING,
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        name: str = pin(description="What it is called.")
        parent_id: str | None = pin(default=None, description="The project that it is a part of.")
        color: str | None = color_pin("charcoal")
        is_favorite: bool = pin(default=False, description="Whether it stands among favourites.")
        view_style: str | None = pin(default=None, description="list, board or calendar.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Make it."""
        facts = given(
            name=inputs.name,
            parent_id=inputs.parent_id or None,
            color=inputs.color,
            is_favorite=inputs.is_favorite,
            view_style=inputs.view_style or None,
        )
        calls.need(await one(calls, "POST", "projects", facts), str, "id")
        return {"success": True}


class TodoistGetProjectBlock(Reads, TodoistBase):
    """Reads a project at Todoist."""

    id = "b435b5ea-de14-11ef-8b51-32d3674e8b7e"
    examples = (
        Example(
            inputs={"project_id": "p1", "credentials": MINE},
            outputs=[
                ("project_id", "p1"),
                ("project_name", "Home"),
                ("project_url", _HOME_URL),
                ("complete_data", _HOME),
            ],
        ),
        Example(inputs={"project_id": "none", "credentials": MINE}, error=_MISSING),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        project_id: str = pin(description="The project.")

    @pins
    class Output:
        """Output pins."""

        project_id: str = pin(description="The project.")
        project_name: str = pin(description="What it is called.")
        project_url: str = pin(description="Where people see it.")
        complete_data: dict[str, Any] = pin(description="All that Todoist says of it.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Read it."""
        found = await one(calls, "GET", f"projects/{path_of(inputs.project_id)}")
        return {
            "project_id": calls.need(found, str, "id"),
            "project_name": calls.need(found, str, "name"),
            "project_url": address_of("project", found),
            "complete_data": found,
        }


class TodoistUpdateProjectBlock(Sets, TodoistBase):
    """Changes a project at Todoist; what is not given stays."""

    id = "ba41a20a-de14-11ef-91d7-32d3674e8b7e"
    examples = (
        Example(
            inputs={"project_id": "p1", "name": "House", "credentials": MINE},
            outputs=[("success", True)],
        ),
        Example(inputs={"project_id": "p1", "credentials": MINE}, error="nothing to change"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        project_id: str = pin(description="The project.")
        name: str | None = pin(default=None, advanced=False, description="What it is called.")
        color: str | None = color_pin(None)
        is_favorite: bool | None = pin(default=None, description="Whether it is a favourite.")
        view_style: str | None = pin(default=None, description="list, board or calendar.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Change it."""
        facts = given(
            name=inputs.name or None,
            color=inputs.color,
            is_favorite=inputs.is_favorite,
            view_style=inputs.view_style or None,
        )
        if not facts:
            raise ValueError("there is nothing to change")
        await send(calls, "POST", f"projects/{path_of(inputs.project_id)}", facts)
        return {"success": True}


class TodoistDeleteProjectBlock(Sets, TodoistBase):
    """Deletes a project at Todoist, with its sections and tasks."""

    id = "c2893acc-de14-11ef-a113-32d3674e8b7e"
    examples = (
        Example(inputs={"project_id": "p1", "credentials": MINE}, outputs=[("success", True)]),
        Example(inputs={"project_id": "none", "credentials": MINE}, error=_MISSING),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        project_id: str = pin(description="The project.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Delete it."""
        await send(calls, "DELETE", f"projects/{path_of(inputs.project_id)}")
        return {"success": True}


class TodoistListCollaboratorsBlock(Reads, TodoistBase):
    """Lists who works in a project at Todoist; 2,000 at the most."""

    id = "c99c804e-de14-11ef-9f47-32d3674e8b7e"
    examples = (
        Example(
            inputs={"project_id": "p1", "credentials": MINE},
            outputs=[
                ("collaborator_ids", ["u1"]),
                ("collaborator_names", ["Ann"]),
                ("collaborator_emails", ["ann@example.com"]),
                ("complete_data", [_ANN]),
            ],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = account_pin()
        project_id: str = pin(description="The project.")

    @pins
    class Output:
        """Output pins."""

        collaborator_ids: list[str] = pin(description="Who they are.")
        collaborator_names: list[str] = pin(description="What they are called.")
        collaborator_emails: list[str] = pin(description="Their mail addresses.")
        complete_data: list[dict[str, Any]] = pin(description="All that Todoist says of them.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """List them."""
        found = await objects(calls, f"projects/{path_of(inputs.project_id)}/collaborators")
        return {
            "collaborator_ids": [each["id"] for each in found],
            "collaborator_names": [str(each.get("name") or "") for each in found],
            "collaborator_emails": [str(each.get("email") or "") for each in found],
            "complete_data": found,
        }
