"""Todoist: how its blocks ask it, and pins that several of them have. Its API is the unified one, v1."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.sdk import Category, CredentialsKind, Json, JsonBody, credentials_pin, pin, pins
from backend.sdk.calling import CallingBase
from backend.sdk.services import Query, Service, ServiceCalls, pages

TODOIST: Final = Service(provider="todoist", name="Todoist", url="https://api.todoist.com")
#: For examples.
MINE: Final = {"id": "mine", "provider": "todoist", "type": "oauth2"}
ROOT: Final = "api/v1"
#: Of one list; a page has 200 at the most.
MOST: Final = 2_000
_PAGE: Final = 200
_APP: Final = "https://app.todoist.com/app"
_SCOPES: Final = ["data:delete", "data:read", "data:read_write", "project:delete", "task:add"]
_COLORS: Final = (
    "berry_red", "red", "orange", "yellow", "olive_green", "lime_green", "green", "mint_green",
    "teal", "sky_blue", "light_blue", "blue", "grape", "violet", "lavender", "magenta", "salmon",
    "charcoal", "grey", "taupe",
)  # fmt: skip


class TodoistBase(CallingBase):
    """A block of Todoist."""

    service = TODOIST
    categories = (Category.PRODUCTIVITY,)


@pins
class Done:
    """What a block gives that changes something and hears nothing more of it."""

    success: bool = pin(description="That it is done.")


def account_pin() -> Any:
    """Return the pin that takes an account at Todoist."""
    return credentials_pin(
        ["todoist"],
        [CredentialsKind.OAUTH2],
        scopes=_SCOPES,
        description="An account at Todoist.",
    )


def color_pin(default: str | None) -> Any:
    """Return the pin that takes one of Todoist's colours."""
    colors = {"enum": list(_COLORS), "title": "Colors", "type": "string"}
    return pin(
        default=default,
        title="",
        schema={"anyOf": [colors, {"type": "null"}]},
        description="The colour.",
    )


async def send(
    calls: ServiceCalls, method: str, path: str, value: Mapping[str, Json] | None = None
) -> None:
    """Do what gives nothing back; *path* is made by `path_of`."""
    body = None if value is None else JsonBody(value=dict(value))
    await calls.send(method, f"{ROOT}/{path}", body=body)


async def one(
    calls: ServiceCalls, method: str, path: str, value: Mapping[str, Json] | None = None
) -> dict[str, Any]:
    """Return the thing that an answer is; *path* is made by `path_of`."""
    body = None if value is None else dict(value)
    return await calls.object(method, f"{ROOT}/{path}", value=body)


async def listed(
    calls: ServiceCalls, path: str, query: Mapping[str, str | Sequence[str] | None] | None = None
) -> list[Any]:
    """Return what a list holds, page after page, `MOST` at the most."""

    async def page(cursor: str | None) -> tuple[list[Any], str | None]:
        wanted: Query = {**(query or {}), "limit": _PAGE, "cursor": cursor}
        found = await calls.object("GET", f"{ROOT}/{path}", query=wanted)
        mark = found.get("next_cursor")
        results = calls.need(found, list, "results")
        return results, mark if isinstance(mark, str) and mark else None

    return await pages(page, most=MOST)


async def objects(
    calls: ServiceCalls, path: str, query: Mapping[str, str | Sequence[str] | None] | None = None
) -> list[dict[str, Any]]:
    """Do as `listed`, where each is an object with an id. Raises WebFailed for others."""
    found = await listed(calls, path, query)
    for each in found:
        calls.need(each, str, "id")
    return found


def address_of(kind: str, thing: Mapping[str, Any]) -> str:
    """Return where people see a task or project: Todoist itself does not always say."""
    said = thing.get("url")
    return said if isinstance(said, str) and said else f"{_APP}/{kind}/{thing['id']}"


def order_in(thing: Mapping[str, Any], *names: str) -> int:
    """Return at which place a thing stands; 0 if it does not say."""
    found = next((thing[name] for name in names if isinstance(thing.get(name), int)), 0)
    return int(found)


def given(**values: Json) -> dict[str, Json]:
    """Return *values* without those that nobody has given."""
    return {name: value for name, value in values.items() if value is not None}
