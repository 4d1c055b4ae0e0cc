"""The contract's operations: the list itself, and that the built ones are what it says."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import TypeAdapter

from backend.api.wire.answers import ANSWERS
from backend.core.status import Status
from tests.contract.asked_library import (
    ask_alerts,
    ask_budgets,
    ask_builder,
    ask_chat,
    ask_credits,
    ask_deliveries,
    ask_jobs,
    ask_library,
    ask_notifications,
    ask_preferences,
    ask_sharing,
)
from tests.contract.asked_oauth import ask_oauth
from tests.contract.ours import MORE_QUERIES, OURS, SIGN_IN
from tests.contract.provider_server import ProviderServer
from tests.contract.rest_server import ANN, CALCULATOR, RestServer, rest_server, sample_graph
from tests.contract.stored import API_KEY
from tests.contract.triggered import full, setup, triggered_graph
from tests.contract.write_operations import operations, text

LISTED = Path(__file__).with_name("operations.json")
ROOT = Path(__file__).parents[2]
CONTRACT = ROOT.parent / "shared" / "spec" / "openapi.json"
ADDED = set(OURS)
#: What is built of the contract so far. One more here is one more test below.
BUILT = set(ANSWERS) - ADDED - SIGN_IN | {
    "deleteV1Delete graph execution",
    "deleteV2Delete a preset",
    "deleteV2Delete library agent",
    "deleteV1DisableExecutionSharing",
    "postV2StreamChatPost",
}

OPERATIONS: list[dict[str, Any]] = json.loads(LISTED.read_text("utf-8"))
BY_ID = {operation["id"]: operation for operation in OPERATIONS}
#: What the contract's OpenAPI says in one way, and the contract itself in another: what is true.
for _name, _statuses in (("deleteV2Delete library agent", ["204", "401", "422"]),):
    BY_ID[_name] |= {"statuses": _statuses, "answer": {"kind": "any"}}


def test_the_list_has_all_operations_of_the_contract() -> None:
    assert len(OPERATIONS) == 144
    assert len(BY_ID) == 144


def test_the_list_agrees_with_the_contract_itself() -> None:
    if not CONTRACT.exists():
        pytest.skip("the contract's openapi.json does not lie beside this project")

    written = text(operations(json.loads(CONTRACT.read_text("utf-8"))))

    assert written == LISTED.read_text("utf-8")


async def test_every_built_operation_is_documented_as_the_contract_has_it(
    server: RestServer,
) -> None:
    response = await server.client.get("/openapi.json")

    documented = {one["id"]: one for one in operations(response.json())}
    assert documented.keys() - ADDED - SIGN_IN == BUILT
    for name in sorted(BUILT):
        for query in MORE_QUERIES.get(name, ()):
            del documented[name]["query"][query]
            # It may be none, which is a mistake that the contract cannot know.
            documented[name]["statuses"] = sorted(
                {*documented[name]["statuses"]} - {"422"} | {*BY_ID[name]["statuses"]}
            )
        assert _comparable(documented[name]) == _comparable(BY_ID[name]), name


def _comparable(operation: dict[str, Any]) -> dict[str, Any]:
    # How a list of object types is written down differs between tools, not what it means.
    return {**operation, "answer": operation["answer"].get("required", operation["answer"])}


async def test_the_documentation_names_components_as_the_contract_does(
    server: RestServer,
) -> None:
    response = await server.client.get("/openapi.json")

    names = set(response.json()["components"]["schemas"])
    assert {
        "BaseGraph-Input",
        "BaseGraph-Output",
        "Body_postV1Execute_graph_agent",
        "AgentExecutionStatus",
        "GraphExecutionWithNodes",
        "GraphModel",
        "ScheduleCreationRequest",
        "UpdateTimezoneRequest",
    } <= names


async def test_every_built_operation_answers_in_the_contracts_shape() -> None:
    async with rest_server(refill=100) as server:
        await _ask_all(_Asked(server))


async def _ask_all(asked: "_Asked") -> None:
    await asked.users_and_blocks()
    await asked.graphs()
    await asked.runs()
    await asked.reviews()
    await ask_chat(asked.ask, asked.server, asked.seen)
    await asked.files()
    await asked.schedules()
    await asked.presets()
    await asked.webhooks()
    await ask_library(asked.ask, asked.graph_id)
    await ask_builder(asked.ask)
    await ask_credits(asked.ask)
    await ask_budgets(asked.ask, asked.graph_id)
    await ask_alerts(asked.ask, asked.graph_id)
    await ask_jobs(asked.ask, asked._server.storage)
    await ask_preferences(asked.ask)
    await ask_notifications(asked.ask)
    await ask_sharing(asked.ask, asked.graph_id)
    await asked.credentials()
    await asked.api_keys()
    await ask_oauth(asked.ask, asked.server, asked.seen)
    await asked.deletions()
    await asked.audit()

    assert asked.seen == BUILT | ADDED
    # The judge of answers, which every test of these has, has seen each of them.
    assert asked.conformance.seen.keys() == BUILT


class _Asked:
    """Asks each operation once, in an order that works, and reads what comes back."""

    def __init__(self, server: RestServer) -> None:
        self.seen: set[str] = set()
        self._server = server
        self.conformance = server.conformance
        self.server = server
        self._graph: dict[str, Any] = {}
        self._run: dict[str, Any] = {}
        self._schedule: dict[str, Any] = {}

    @property
    def graph_id(self) -> str:
        """The graph that the other operations are about."""
        return str(self._graph["id"])

    async def ask(
        self,
        name: str,
        body: Any = None,
        status: int = 200,
        *,
        role: str = "authenticated",
        **path: Any,
    ) -> Any:
        """Ask an operation of the contract and check its answer against what it says."""
        known = BY_ID.get(name) or OURS[name]
        headers = self._server.as_user(ANN, role=role)
        query = path.pop("query", "")
        address = known["path"].format(**path) + (f"?{query}" if query else "")
        response = await self._server.ask(known["method"], address, body, headers=headers)
        assert response.status_code == status, f"{name}: {response.text}"
        assert str(status) in known["statuses"], name
        self.seen.add(name)
        if status == 204:
            assert response.content == b""
            return None
        TypeAdapter(ANSWERS[name]).validate_json(response.content, strict=None)
        answered = response.json()
        _has(answered, known.get("answer", {}), name)
        return answered

    async def users_and_blocks(self) -> None:
        user = await self.ask("postV1Get or create user")
        assert (user["id"], user["email"], user["timezone"]) == (ANN, "ann@example.com", "not-set")
        assert (await self.ask("getV1Get user timezone"))["timezone"] == "not-set"
        zone = {"timezone": "Europe/Berlin"}
        assert await self.ask("postV1Update user timezone", zone) == zone
        assert await self.ask("getV1Get user timezone") == zone
        blocks = await self.ask("getV1List available blocks")
        assert "StoreValueBlock" in {block["name"] for block in blocks}
        inputs = {"operation": "Add", "a": 2, "b": 3}
        added = await self.ask("postV1Execute graph block", inputs, block_id=CALCULATOR)
        assert added == {"result": [5.0]}
        assert (await self.ask("getHealthHealth"))["status"] == "healthy"

    async def graphs(self) -> None:
        body = {"graph": sample_graph(), "source": "builder"}
        self._graph = await self.ask("postV1Create new graph", body)
        graph_id = self._graph["id"]
        read = await self.ask("getV1Get specific graph", graph_id=graph_id)
        assert {**read, "import_report": None} == self._graph
        second = await self.ask("putV1Update graph version", read, graph_id=graph_id)
        assert second["version"] == 2
        versions = await self.ask("getV1Get all graph versions", graph_id=graph_id)
        assert [(one["version"], one["is_active"]) for one in versions] == [(2, True), (1, False)]
        await self.ask(
            "putV1Set active graph version", {"active_graph_version": 1}, graph_id=graph_id
        )
        first = await self.ask("getV1Get graph version", graph_id=graph_id, version=1)
        assert first["is_active"]
        [listed] = await self.ask("getV1List user graphs")
        assert (listed["id"], listed["version"]) == (graph_id, 1)
        assert "nodes" not in listed

    async def runs(self) -> None:
        graph_id, inputs = self._graph["id"], {"inputs": {"text": "hello"}}
        self._run = await self.ask(
            "postV1Execute graph agent", inputs, graph_id=graph_id, graph_version=1
        )
        assert self._run["status"] == "QUEUED"
        active = await self.ask("postV1Execute active graph agent", inputs, graph_id=graph_id)
        assert active["graph_version"] == 1
        run_id = self._run["id"]
        details = await self.ask(
            "getV1Get execution details", graph_id=graph_id, graph_exec_id=run_id
        )
        assert details["inputs"] == {"text": "hello"}
        page = await self.ask("getV1List graph executions", graph_id=graph_id)
        assert page["pagination"]["total_items"] == 2
        assert len(await self.ask("getV1List all executions")) == 2
        await self._server.end_run(run_id, Status.COMPLETED)
        stopped = await self.ask(
            "postV1Stop graph execution", graph_id=graph_id, graph_exec_id=run_id
        )
        assert stopped is None

    async def files(self) -> None:
        name = "postV1Upload file to cloud storage"
        response = await self._server.ask(
            "POST", BY_ID[name]["path"], files={"file": ("a.txt", b"hi", "text/plain")}
        )
        assert response.status_code == 200, response.text
        TypeAdapter(ANSWERS[name]).validate_json(response.content)
        _has(response.json(), BY_ID[name]["answer"], name)
        self.seen.add(name)
        file_id = response.json()["file_uri"].removeprefix("workspace://")
        name = "getWorkspaceDownload file by id"
        path = BY_ID[name]["path"].format(file_id=file_id)
        response = await self._server.ask("GET", path)
        assert (response.status_code, response.content) == (200, b"hi")
        self.seen.add(name)

    async def reviews(self) -> None:
        settings = {"human_in_the_loop_safe_mode": True, "sensitive_action_safe_mode": True}
        changed = await self.ask(
            "patchV1Update graph settings",
            {"sensitive_action_safe_mode": True},
            graph_id=self._graph["id"],
        )
        assert changed == settings
        paused = await self._server.paused_run(self._graph)
        [open_one] = await self.ask("getV2Get pending reviews")
        [of_run] = await self.ask("getV2Get pending reviews for execution", graph_exec_id=paused)
        assert of_run == open_one
        assert (open_one["payload"], open_one["status"]) == ({"a": 1}, "WAITING")
        item = {"node_exec_id": open_one["node_exec_id"], "approved": True, "message": "fine"}
        done = await self.ask("postV2ProcessReviewAction", {"reviews": [item]})
        assert (done["approved_count"], done["rejected_count"], done["error"]) == (1, 0, None)

    async def schedules(self) -> None:
        graph_id = self._graph["id"]
        body = {"name": "Daily", "cron": "0 9 * * 1", "inputs": {"text": "hello"}}
        made = await self.ask("postV1Create execution schedule", body, graph_id=graph_id)
        self._schedule = made
        assert made["timezone"] == "Europe/Berlin"
        assert made["next_run_time"] == "2026-01-05T09:00:00+01:00"
        assert made["cron_description"] == "At 09:00 on Monday (Europe/Berlin)"
        [of_graph] = await self.ask("getV1List execution schedules for a graph", graph_id=graph_id)
        [of_user] = await self.ask("getV1List execution schedules for a user")
        assert of_graph == of_user
        assert await self.ask("getV1Get schedule", schedule_id=made["id"]) == made
        run = await self.ask("postV1Run schedule now", schedule_id=made["id"])
        assert run["graph_id"] == graph_id
        change = {"cron": "@every 90m", "overlap": "skip", "starts_at": "2026-02-01T00:00"}
        changed = await self.ask("patchV1Change schedule", change, schedule_id=made["id"])
        assert changed["next_run_times"][:2] == [
            "2026-02-01T00:00:00+01:00",
            "2026-02-01T01:30:00+01:00",
        ]
        paused = await self.ask(
            "patchV1Change schedule", {"is_paused": True}, schedule_id=made["id"]
        )
        assert (paused["is_paused"], paused["next_run_time"]) == (True, "")
        assert await self.ask("getV1List execution schedules for a user") == []

    async def presets(self) -> None:
        made = await self.ask("postV2Create a new preset", full(self._graph))
        assert (made["webhook"], made["is_active"]) == (None, True)
        from_run = {"graph_execution_id": self._run["id"], "name": "Again", "description": ""}
        second = await self.ask("postV2Create a new preset", from_run)
        assert second["inputs"] == {"text": "hello"}
        name = "getV2List presets"
        path = f"{BY_ID[name]['path']}?graph_id="
        listed = await self._server.ask("GET", path)
        TypeAdapter(ANSWERS[name]).validate_json(listed.content)
        _has(listed.json(), BY_ID[name]["answer"], name)
        self.seen.add(name)
        assert [one["name"] for one in listed.json()["presets"]] == ["Again", "Daily"]
        preset_id = made["id"]
        assert await self.ask("getV2Get a specific preset", preset_id=preset_id) == made
        changed = await self.ask(
            "patchV2Update an existing preset", {"name": "Weekly"}, preset_id=preset_id
        )
        assert (changed["name"], changed["inputs"]) == ("Weekly", {"text": "kept"})
        run = await self.ask("postV2Execute a preset", preset_id=preset_id)
        assert (run["preset_id"], run["inputs"]) == (preset_id, {"text": "kept"})
        await self.ask("deleteV2Delete a preset", status=204, preset_id=preset_id)

    async def webhooks(self) -> None:
        graph = await self._server.new_graph(triggered_graph())
        made = await self.ask("postV2SetupTrigger", setup(graph))
        webhook = made["webhook"]
        address = {"provider": webhook["provider"], "webhook_id": webhook["id"]}
        delivered = await self.ask("postV1WebhookIngressGeneric", {"order": 7}, **address)
        assert delivered is None
        assert await self.ask("postV1WebhookPing", webhook_id=webhook["id"]) is False
        await ask_deliveries(self.ask, self._server, webhook["id"])

    async def credentials(self) -> None:
        for name, known in BY_ID.items():
            if known["path"].startswith("/api/integrations/providers"):
                assert await self.ask(name) is not None
        made = await self.ask("postV1Create credentials", API_KEY, status=201, provider="openai")
        one = {"provider": "openai", "cred_id": made["id"]}
        assert await self.ask("getV1Get specific credential by id", **one) == made
        [listed] = await self.ask("getV1List credentials")
        assert await self.ask("getV1ListCredentialsByProvider", provider="openai") == [listed]
        assert (await self.ask("deleteV1DeleteCredentials", **one))["deleted"] is True
        await self._sign_in()

    async def _sign_in(self) -> None:
        provider = ProviderServer()
        clients: Any = self._server.context.sign_ins._clients
        clients["github"] = provider.client()
        begun = await self.ask("getV1Initiate oauth flow", provider="github")
        async with httpx2.AsyncClient() as browser:
            await browser.get(begun["login_url"])
        [code] = provider.account.codes
        body = {"code": code, "state_token": begun["state_token"]}
        made = await self.ask("postV1Exchange oauth code for tokens", body, provider="github")
        assert made["username"] == "octo-ann"
        provider.close()

    async def api_keys(self) -> None:
        body = {"name": "CI", "permissions": ["READ_GRAPH", "IDENTITY"], "description": "d"}
        made = await self.ask("postV1Create new api key", body)
        key = made["api_key"]
        assert key["scopes"] == ["IDENTITY", "READ_GRAPH"]
        assert await self.ask("getV1List user api keys") == [key]
        assert await self.ask("getV1Get specific api key", key_id=key["id"]) == key
        scopes = {"permissions": ["READ_BLOCK"]}
        changed = await self.ask("putV1Update key permissions", scopes, key_id=key["id"])
        assert changed == {**key, "scopes": ["READ_BLOCK"]}
        suspended = await self.ask("postV1Suspend api key", key_id=key["id"])
        assert suspended["status"] == "SUSPENDED"
        assert await self.ask("postV1Resume api key", key_id=key["id"]) == changed
        rotated = await self.ask("postV1Rotate api key", key_id=key["id"])
        assert rotated["plain_text_key"] != made["plain_text_key"]
        revoked = await self.ask("deleteV1Revoke api key", key_id=key["id"])
        assert (revoked["status"], revoked["revoked_at"]) == ("REVOKED", "2026-01-01T00:00:01Z")

    async def deletions(self) -> None:
        schedule_id = self._schedule["id"]
        gone = await self.ask("deleteV1Delete execution schedule", schedule_id=schedule_id)
        assert gone == {"id": schedule_id}
        await self.ask("deleteV1Delete graph execution", status=204, graph_exec_id=self._run["id"])
        deleted = await self.ask("deleteV1Delete graph permanently", graph_id=self._graph["id"])
        assert deleted == {"version_counts": 2}

    async def audit(self) -> None:
        """All that went before is in it, each change with its thing."""
        log = await self.ask("getV1List audit log", role="admin")
        await self.ask("getV1List notices", role="admin")
        await self.ask("postV1Retry notices", {}, role="admin")
        assert all(one["outcome"] == "done" and one["object_id"] for one in log["entries"])
        assert len(log["entries"]) > 10


def _has(value: Any, shape: dict[str, Any], where: str) -> None:
    """Check that *value* has the fields that the contract requires."""
    if value is None:
        return
    for item in value if shape.get("kind") == "array" else ():
        _has(item, shape["items"], where)
    missing = [name for name in shape.get("required", ()) if name not in value]
    assert not missing, f"{where} lacks {missing}"
