"""Operations about libraries, each asked once; part of test_operations.py, apart only for its size."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.jobs import SqlJobs
from backend.core.preferences import unsubscribe_token
from tests.contract.parked import park
from tests.contract.rest_server import ANN, UNSUBSCRIBE_KEY, RestServer
from tests.contract.triggered import start_all

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


async def ask_alerts(ask: Ask, graph_id: str) -> None:
    """Set an alert on *graph_id*, see it, change it, and take it away."""
    made = await ask("postV1Add agent alert", {"kind": "failed"}, graph_id=graph_id)
    assert await ask("getV1List agent alerts", graph_id=graph_id) == [made]
    one = {"graph_id": graph_id, "alert_id": made["id"]}
    changed = await ask("patchV1Change agent alert", {"is_active": False}, **one)
    assert await ask("getV1Get agent alert", **one) == changed == made | {"is_active": False}
    await ask("deleteV1Remove agent alert", status=204, **one)


async def ask_jobs(ask: Ask, storage: SqlStorage) -> None:
    """See a job of the server, have it run, and see what it did."""
    await SqlJobs(storage.database).declare({"retention": 1_000_000})
    one = {"role": "admin", "job_name": "retention"}
    [job] = (await ask("getV1List system jobs", role="admin"))["jobs"]
    asked = await ask("postV1Run system job", **one)
    assert asked == job | {"requested_at": asked["requested_at"]}
    assert (await ask("getV1List runs of system job", **one))["runs"] == []
    await ask_parked(ask, storage)


async def ask_parked(ask: Ask, storage: SqlStorage) -> None:
    """Retry a parked run, twice: its owner, and an administrator who has seen it listed."""
    run = (await ask("getV1List all executions"))[0]
    await park(storage, run["id"])
    one = {"graph_id": run["graph_id"], "graph_exec_id": run["id"]}
    queued = await ask("postV1Retry parked graph execution", **one)
    assert (queued["id"], queued["status"]) == (run["id"], "QUEUED")
    await park(storage, run["id"])
    [listed] = (await ask("getV1List parked runs", role="admin"))["runs"]
    await ask("postV1Retry parked run", status=204, role="admin", run_id=listed["id"])


async def ask_budgets(ask: Ask, graph_id: str) -> None:
    """Set a budget of *graph_id*, see it listed, and take it away; and look what was used."""
    made = await ask("putV1Set model budget", {"limit": 5, "graph_id": graph_id})
    assert (await ask("getV1List model budgets"))["budgets"] == [made]
    await ask("deleteV1Remove model budget", status=204, budget_id=made["id"])
    assert (await ask("getV1Get model usage"))["days"] == []


async def ask_notifications(ask: Ask) -> None:
    """Make a channel, change it, try it out and take it away; and look what there is to read."""
    config = {"url": "https://10.0.0.1/hook"}
    made = await ask("postV1Add notification channel", {"kind": "webhook", "config": config}, 201)
    one = {"channel_id": made["id"]}
    shown = await ask("getV1Get notification channel", **one)
    assert shown == {**made, "signing_secret": None}
    assert (await ask("getV1List notification channels"))["channels"] == [shown]
    changed = await ask("patchV1Change notification channel", {"name": "mine"}, **one)
    assert changed["name"] == "mine"
    assert not (await ask("postV1Test notification channel", **one))["delivered"]
    await ask("deleteV1Remove notification channel", status=204, **one)
    assert (await ask("getV1List notifications"))["notifications"] == []
    assert await ask("postV1Mark notifications read", {"all": True}) == {"unread_count": 0}


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
    assert (after["email"], after["daily_limit"]) == ("ann@example.com", 5)
    assert not after["preferences"]["AGENT_RUN"]
    assert await ask("postV1Update user email", "ann@example.com") == {
        "email": "ann@example.com",
        "status": "confirmed",
    }
    token = unsubscribe_token(ANN, UNSUBSCRIBE_KEY)
    await ask("postV1One click email unsubscribe", query=f"token={token}")


async def ask_credits(ask: Ask) -> None:
    """Look at credits, give some, and look at what new users are led through."""
    assert await ask("getV1Get user credits") == {"credits": 100}
    history = await ask("getV1Get credit history")
    assert sorted(one["amount"] for one in history["transactions"]) == [100]
    body = {"user_id": ANN, "amount": 30, "comments": "for the tests"}
    given = await ask("postV2Add credits to user", body, role="admin")
    assert given["new_balance"] == 130
    onboarding = await ask("getV1Is onboarding enabled")
    assert onboarding == {"is_onboarding_enabled": False, "is_chat_enabled": False}


async def ask_chat(ask: Ask, server: RestServer, seen: set[str]) -> None:
    """Begin a session, and say something in it; there is no model here."""
    made = await ask("postV2CreateSession")
    listed = await ask("getV2ListSessions", query="limit=1")
    assert [one["id"] for one in listed["sessions"]] == [made["id"]]
    streamed = await server.ask(
        "POST", f"/api/chat/sessions/{made['id']}/stream", {"message": "Hello"}
    )
    assert streamed.headers["content-type"].startswith("text/event-stream")
    seen.add("postV2StreamChatPost")
    assert (await ask("getV2GetSession", session_id=made["id"]))["messages"] == []


async def ask_deliveries(ask: Ask, server: RestServer, webhook_id: str) -> None:
    """Look at what was sent to a webhook, and start it again."""
    await start_all(server)
    [webhook] = (await ask("getV1List webhooks"))["webhooks"]
    assert (webhook["id"], len(webhook["presets"])) == (webhook_id, 1)
    of_webhook = {"webhook_id": webhook_id}
    [listed] = (await ask("getV1List webhook deliveries", **of_webhook))["deliveries"]
    one = {**of_webhook, "delivery_id": listed["id"]}
    assert await ask("getV1Get webhook delivery", **one) == {**listed, "payload": {"order": 7}}
    again = await ask("postV1Replay webhook delivery", **one)
    assert (again["status"], again["replay_of"]) == ("started", listed["id"])
