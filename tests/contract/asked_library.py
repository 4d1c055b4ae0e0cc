"""Operations about libraries, each asked once; part of test_operations.py, apart only for its size."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

Ask: TypeAlias = Callable[..., Awaitable[Any]]


async def ask_library(ask: Ask, graph_id: str) -> None:
    """Ask for the agent of *graph_id*, which is one of several."""
    agent = await ask("getV2GetLibraryAgentByGraphId", graph_id=graph_id)
    assert await ask("getV2Get library agent", library_agent_id=agent["id"]) == agent
    listed = await ask("getV2List library agents")
    assert agent["id"] in {one["id"] for one in listed["agents"]}
    changed = await ask(
        "patchV2Update library agent", {"is_favorite": True}, library_agent_id=agent["id"]
    )
    assert changed["is_favorite"]
    favorites = await ask("getV2List favorite library agents")
    assert [one["id"] for one in favorites["agents"]] == [agent["id"]]
    copy = await ask("postV2Fork library agent", library_agent_id=agent["id"])
    assert copy["name"] == f"{agent['name']} (copy)"
    await ask("deleteV2Delete library agent", status=204, library_agent_id=copy["id"])
