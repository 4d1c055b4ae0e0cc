"""Operations about libraries, each asked once; part of test_operations.py, apart only for its size."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from backend.core.preferences import unsubscribe_token
from tests.contract.rest_server import ANN, UNSUBSCRIBE_KEY

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


async def ask_sharing(ask: Ask, graph_id: str) -> None:
    """Share a run of *graph_id*, look at it, and share it no more."""
    page = await ask("getV1List graph executions", graph_id=graph_id)
    run = {"graph_id": graph_id, "graph_exec_id": page["executions"][0]["id"]}
    shared = await ask("postV1EnableExecutionSharing", **run)
    seen = await ask("getV1GetSharedExecution", share_token=shared["share_token"])
    assert seen["id"] == run["graph_exec_id"]
    await ask("deleteV1DisableExecutionSharing", status=204, **run)


async def ask_builder(ask: Ask) -> None:
    """Look through the menu of the builder."""
    page = await ask("getV2Get builder blocks", query="type=input&page_size=2")
    assert len(page["blocks"]) == 2
    id_ = page["blocks"][0]["id"]
    assert await ask("getV2Get specific blocks", query=f"block_ids={id_}") == [page["blocks"][0]]
    categories = await ask("getV2Get builder block categories")
    assert "basic" in {one["name"] for one in categories}
    counts = await ask("getV2Get builder item counts")
    assert counts["all_blocks"] > counts["input_blocks"] > 0
    await ask("getV2Get builder integration providers")
    found = await ask("getV2Builder search", query="search_query=template")
    assert "FillTextTemplateBlock" in {one["name"] for one in found["items"]}
    shown = await ask("getV2Get builder suggestions")
    assert [one["search_id"] for one in shown["recent_searches"]] == [found["search_id"]]


async def ask_preferences(ask: Ask) -> None:
    """Say what is wanted, and where to, and unsubscribe."""
    before = await ask("getV1Get notification preferences")
    assert (before["email"], before["daily_limit"]) == ("ann@example.com", 3)
    said = {"email": "ann@example.org", "preferences": {"AGENT_RUN": False}, "daily_limit": 5}
    after = await ask("postV1Update notification preferences", said)
    assert (after["email"], after["daily_limit"]) == ("ann@example.org", 5)
    assert not after["preferences"]["AGENT_RUN"]
    assert await ask("postV1Update user email", "ann@example.com") == {"email": "ann@example.com"}
    token = unsubscribe_token(ANN, UNSUBSCRIBE_KEY)
    await ask("postV1One click email unsubscribe", query=f"token={token}")


async def ask_credits(ask: Ask) -> None:
    """Look at credits, give some, and look at what new users are led through."""
    assert await ask("getV1Get user credits") == {"credits": 70}  # of 100; one block was paid for
    history = await ask("getV1Get credit history")
    assert sorted(one["amount"] for one in history["transactions"]) == [-30, 100]
    body = {"user_id": ANN, "amount": 30, "comments": "for the tests"}
    given = await ask("postV2Add credits to user", body, role="admin")
    assert given["new_balance"] == 100
    onboarding = await ask("getV1Is onboarding enabled")
    assert onboarding == {"is_onboarding_enabled": False, "is_chat_enabled": False}
