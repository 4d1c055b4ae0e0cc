"""What is wrong in the same ways everywhere: every route that is served meets all of it."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

import pytest
from fastapi.routing import APIRoute

from tests.contract.api_keys import KEYS, make_key, new_key
from tests.contract.oauth import OAUTH, make_app
from tests.contract.rest_server import (
    CALCULATOR,
    Json,
    RestServer,
    rest_server,
    sample_graph,
    things_in,
)
from tests.contract.stored import EVERY_KIND
from tests.contract.test_alerts import REQUESTS as ALERT_REQUESTS
from tests.contract.test_budgets import REQUESTS as BUDGET_REQUESTS
from tests.contract.test_builder import REQUESTS as BUILDER_REQUESTS
from tests.contract.test_chat import REQUESTS as CHAT_REQUESTS
from tests.contract.test_credits import REQUESTS as CREDIT_REQUESTS
from tests.contract.test_jobs import REQUESTS as JOB_REQUESTS
from tests.contract.test_library import AGENTS, agent_of
from tests.contract.test_notifications import BODIES as NOTIFICATION_BODIES
from tests.contract.test_notifications import REQUESTS as NOTIFICATION_REQUESTS
from tests.contract.test_notifications import new_channel
from tests.contract.test_parked import REQUESTS as PARKED_REQUESTS
from tests.contract.test_preferences import REQUESTS as PREFERENCE_REQUESTS
from tests.contract.test_sharing import REQUESTS as SHARING_REQUESTS
from tests.contract.test_workspace import REQUESTS as WORKSPACE_REQUESTS
from tests.contract.test_wrong_api_keys import REQUESTS as KEY_REQUESTS
from tests.contract.test_wrong_credentials import REQUESTS as CREDENTIALS_REQUESTS
from tests.contract.test_wrong_library import REQUESTS as LIBRARY_REQUESTS
from tests.contract.test_wrong_oauth import BY_CODE, LEAVE, TOKEN
from tests.contract.test_wrong_oauth import REQUESTS as OAUTH_REQUESTS
from tests.contract.test_wrong_presets import REQUESTS as PRESET_REQUESTS
from tests.contract.test_wrong_requests import BODIES, REQUESTS, UNKNOWN, schedule
from tests.contract.triggered import PRESETS, full, new_preset, setup

#: Routes without a row of their own in a table, with the reason.
WITHOUT_ROW: Final = {
    **dict.fromkeys(
        [
            "GET /api/graphs",
            "GET /api/credits",
            "GET /api/onboarding/enabled",
            "GET /api/auth/user/preferences",
            "GET /api/notifications/channels",
            "GET /api/builder/counts",
            "GET /api/builder/suggestions",
            "GET /api/schedules",
            "GET /api/integrations/webhooks",
            "GET /api/executions",
            "GET /api/blocks",
            "GET /api/admin/jobs",
            "GET /api/admin/parked-runs",
            "GET /api/auth/user/timezone",
            "GET /api/api-keys",
            "GET /api/oauth/apps/mine",
            "POST /api/auth/user",
            "POST /api/chat/sessions",
            "GET /api/auth/sessions",
            "GET /health",
            "GET /health/live",
            "GET /metrics",
            "GET /api/integrations/credentials",
            "GET /api/integrations/providers",
            "GET /api/integrations/providers/names",
            "GET /api/integrations/providers/constants",
            "GET /api/integrations/providers/enum-example",
            "GET /api/integrations/providers/system",
        ],
        "it takes nothing but a token",
    ),
    **dict.fromkeys(
        [
            "POST /api/graphs/{graph_id}/executions/{graph_exec_id}/stop",
            "GET /api/graphs/{graph_id}/schedules",
            "GET /api/graphs/{graph_id}/alerts",
            "DELETE /api/graphs/{graph_id}",
        ],
        "what is not there is stopped, listed and deleted without a word, as the contract has it",
    ),
    "GET /api/integrations/{provider}/credentials": "any text is a provider; of most there is none",
    "POST /api/files/upload": "tests/contract/test_uploads.py has its table",
}
#: Routes that would take a body and read none.
WITHOUT_BODY: Final = {
    "POST /api/chat/sessions",
    "POST /api/notifications/channels/{channel_id}/test",
    "POST /api/graphs/{graph_id}/executions/{graph_exec_id}/stop",
    "POST /api/auth/user",
    "POST /api/admin/jobs/{job_name}/run",
    "POST /api/admin/parked-runs/{run_id}/retry",
    "POST /api/graphs/{graph_id}/executions/{graph_exec_id}/retry",
    "POST /api/auth/logout",
    "POST /api/schedules/{schedule_id}/run",
    "POST /api/files/upload",
    "POST /api/integrations/webhooks/{webhook_id}/ping",
    "POST /api/integrations/webhooks/{webhook_id}/deliveries/{delivery_id}/replay",
    "POST /api/library/agents/{library_agent_id}/fork",
    "POST /api/api-keys/{key_id}/suspend",
    "POST /api/api-keys/{key_id}/resume",
    "POST /api/email/unsubscribe",
    "POST /api/auth/user/email/confirm",
    # A bare text; tests/contract/test_preferences.py has those that are none.
    "POST /api/auth/user/email",
    "POST /api/oauth/apps/{app_id}/logo/upload",
    # It takes what its sender likes; tests/contract/test_webhooks.py has its bodies.
    "POST /api/integrations/{provider}/webhooks/{webhook_id}/ingress",
}
_CREDENTIALS: Final = {"a": {"id": "1", "provider": "p", "type": "api_key", "title": "t"}}
_RUN: Final = {
    "inputs": {"text": "a"},
    "credentials_inputs": _CREDENTIALS,
    "nodes_input_masks": {"in": {"name": "a"}},
}
_SETTINGS: Final = {"sensitive_action_safe_mode": True, "human_in_the_loop_safe_mode": True}
_GRAPH: Final = {"id": UNKNOWN, "version": 1}
_DECISION: Final = {"node_exec_id": UNKNOWN, "approved": True, "message": "m", "reviewed_data": 1}
#: A whole body for each route that reads one; the last word of a route is its form without /api.
SENT: Final[list[tuple[str, str, Json]]] = [
    ("POST", "/api/graphs", {"graph": sample_graph(), "source": "builder"}),
    ("POST", "/graphs", sample_graph()),
    ("PUT", "/api/graphs/{graph_id}", sample_graph()),
    ("PUT", "/api/graphs/{graph_id}/versions/active", {"active_graph_version": 1}),
    ("PATCH", "/api/graphs/{graph_id}/settings", _SETTINGS),
    ("POST", "/api/graphs/{graph_id}/execute/{graph_version}", _RUN),
    ("POST", "/graphs/{graph_id}/execute/{graph_version}", {"text": "a"}),
    ("POST", "/api/graphs/{graph_id}/execute", _RUN),
    ("POST", "/graphs/{graph_id}/execute", {"text": "a"}),
    (
        "POST",
        "/api/graphs/{graph_id}/schedules",
        schedule(timezone="UTC", graph_version=1, credentials=_CREDENTIALS),
    ),
    (
        "POST",
        "/graphs/{graph_id}/schedules",
        {"cron": "* * * * *", "input_data": {"text": "a"}, "graph_version": 1},
    ),
    ("PATCH", "/api/schedules/{schedule_id}", {"name": "n", "credentials": _CREDENTIALS}),
    ("POST", "/api/review/action", {"reviews": [_DECISION]}),
    (
        "POST",
        "/api/chat/sessions/{session_id}/stream",
        {"message": "Hello", "is_user_message": True, "context": {"url": "u"}},
    ),
    ("POST", "/api/blocks/{block_id}/execute", {"operation": "Add", "a": 1, "b": 2}),
    ("POST", "/api/auth/user/timezone", {"timezone": "UTC"}),
    ("POST", "/api/auth/login", {"email": "a@example.com", "password": "x"}),
    ("POST", "/api/auth/refresh", {"refresh_token": "x"}),
    ("POST", "/api/auth/password/forgot", {"email": "a@example.com"}),
    ("POST", "/api/auth/password/reset", {"token": "x", "new_password": "y"}),
    ("POST", "/api/auth/password", {"current_password": "x", "new_password": "y"}),
    ("POST", PRESETS, full(_GRAPH, credentials=_CREDENTIALS)),
    (
        "PATCH",
        f"{PRESETS}/{{preset_id}}",
        {"inputs": {"text": "a"}, "name": "n", "is_active": True},
    ),
    ("POST", f"{PRESETS}/{{preset_id}}/execute", {"inputs": {"text": "a"}}),
    (
        "PATCH",
        f"{AGENTS}/{{library_agent_id}}",
        {"graph_version": 1, "is_favorite": True, "settings": _SETTINGS},
    ),
    ("POST", "/api/graphs/{graph_id}/executions/{graph_exec_id}/share", {}),
    ("POST", "/api/integrations/{provider}/callback", {"code": "c", "state_token": "s"}),
    ("POST", "/api/integrations/{provider}/credentials", {**EVERY_KIND["http"], "id": "one"}),
    (
        "POST",
        "/api/auth/user/preferences",
        {"email": "a@example.com", "preferences": {"AGENT_RUN": False}, "daily_limit": 3},
    ),
    ("POST", "/api/admin/notices/retry", {"notice_id": "n"}),
    (
        "POST",
        "/api/credits/admin/add_credits",
        {"user_id": "x", "amount": 1, "comments": "c"},
    ),
    *NOTIFICATION_BODIES,
    (
        "PUT",
        "/api/budgets",
        {"limit": 5, "unit": "calls", "period": "day", "graph_id": UNKNOWN},
    ),
    ("POST", "/api/graphs/{graph_id}/alerts", {"kind": "slower_than", "threshold": 5}),
    (
        "PATCH",
        "/api/graphs/{graph_id}/alerts/{alert_id}",
        {"threshold": 5, "names_block": False, "is_active": True},
    ),
    ("POST", f"{PRESETS}/setup-trigger", setup(_GRAPH, agent_credentials=_CREDENTIALS)),
    ("POST", KEYS, new_key(expires_at="2027-01-01T00:00:00Z", description="d")),
    ("PUT", f"{KEYS}/{{key_id}}/permissions", {"permissions": ["IDENTITY"]}),
    ("POST", f"{KEYS}/{{key_id}}/rotate", {"grace_period_s": 60}),
    ("POST", f"{OAUTH}/authorize", LEAVE),
    ("POST", f"{OAUTH}/token", BY_CODE),
    ("POST", f"{OAUTH}/introspect", {**TOKEN, "token_type_hint": "access_token"}),
    ("POST", f"{OAUTH}/revoke", {**TOKEN, "token_type_hint": "access_token"}),
    ("PATCH", f"{OAUTH}/apps/{{app_id}}/status", {"is_active": True}),
    ("PATCH", f"{OAUTH}/apps/{{app_id}}/logo", {"logo_url": ""}),
]
DEEP: Any = "x"
for _ in range(126):
    DEEP = [DEEP]
#: What a field does not expect; some takes it all the same, and that is well.
STRANGE: Final[list[Any]] = [
    None, "", -1, True, [], {}, [None], {"": {"\0": []}}, "a\0b", "x" * 100_000, 2**70, 1e308, DEEP,
]  # fmt: skip


def served(server: RestServer) -> Iterator[tuple[str, APIRoute]]:
    """Yield all routes by "METHOD /path"; a plain form counts as that below /api with the same endpoint."""
    routes = [route for route in server.app.routes if isinstance(route, APIRoute)]
    below = {(route.path, route.endpoint) for route in routes if route.path.startswith("/api/")}
    for route in routes:
        for method in (route.methods or set()) - {"HEAD"}:
            if (f"/api{route.path}", route.endpoint) not in below:
                yield f"{method} {route.path}", route


async def test_every_route_has_a_row_in_a_table_of_wrong_requests(server: RestServer) -> None:
    routes = dict(served(server))
    tried = {
        name
        for name, route in routes.items()
        for _, method, path, *_ in (
            *REQUESTS,
            *PRESET_REQUESTS,
            *LIBRARY_REQUESTS,
            *SHARING_REQUESTS,
            *BUILDER_REQUESTS,
            *WORKSPACE_REQUESTS,
            *CREDIT_REQUESTS,
            *BUDGET_REQUESTS,
            *ALERT_REQUESTS,
            *JOB_REQUESTS,
            *PARKED_REQUESTS,
            *CHAT_REQUESTS,
            *NOTIFICATION_REQUESTS,
            *CREDENTIALS_REQUESTS,
            *KEY_REQUESTS,
            *PREFERENCE_REQUESTS,
            *OAUTH_REQUESTS,
        )
        if name.startswith(f"{method} ") and route.path_regex.match(path.partition("?")[0])
    }

    assert tried | WITHOUT_ROW.keys() == routes.keys()
    assert {f"{method} {path}" for method, path, _ in SENT} | WITHOUT_BODY == {
        name for name in routes if name.split()[0] in ("POST", "PUT", "PATCH")
    }


async def filled(server: RestServer, path: str) -> str:
    graph = await server.new_graph()
    ids = {
        "graph_id": graph["id"],
        "graph_version": "1",
        "block_id": CALCULATOR,
        "provider": "http",
        "channel_id": (await new_channel(server))["id"],
    }
    if "{library_agent_id}" in path:
        ids["library_agent_id"] = (await agent_of(server, graph))["id"]
    if "{graph_exec_id}" in path:
        ids["graph_exec_id"] = (await server.new_run(graph))["id"]
    if "{preset_id}" in path:
        ids["preset_id"] = (await new_preset(server, graph))["id"]
    ids.update(await _of_graph(server, path, graph))
    if "{key_id}" in path:
        ids["key_id"] = (await make_key(server))["api_key"]["id"]
    if "/chat/" in path:
        ids["session_id"] = (await server.ask("POST", "/api/chat/sessions")).json()["id"]
    if "{app_id}" in path:
        ids["app_id"] = (await make_app(server)).app.id
    return path.format(**ids)


async def _of_graph(server: RestServer, path: str, graph: Json) -> dict[str, str]:
    made = {}
    for kind, body in (
        ("schedule", schedule()),
        ("alert", {"kind": "slower_than", "threshold": 9}),
    ):
        if f"{{{kind}_id}}" in path:
            where = f"/api/graphs/{graph['id']}/{kind}s"
            made[f"{kind}_id"] = (await server.ask("POST", where, body)).json()["id"]
    return made


async def send(server: RestServer, method: str, path: str, body: bytes) -> Any:
    return await server.ask(
        method, path, content=body, headers={"Content-Type": "application/json"}
    )


@pytest.mark.parametrize(("method", "path"), [sent[:2] for sent in SENT])
async def test_no_route_takes_a_body_that_is_no_json(
    server: RestServer, method: str, path: str
) -> None:
    whole = await filled(server, path)
    before = await server.row_counts()

    for name, (body, says) in BODIES.items():
        response = await send(server, method, whole, body)
        # Who may not ask at all is told that first, and nothing of the body; it is in the audit log.
        expected = (403, "administrators") if path.startswith("/api/admin/") else (422, says)
        assert response.status_code == expected[0], (name, response.text)
        assert expected[1] in response.text, name
        assert response.json().keys() == {"message", "detail", "hint"}

    after = await server.row_counts()
    if path.startswith("/api/admin/"):
        before |= {table: after[table] for table in ("audit", "audit_head")}
    assert after == before


@pytest.mark.parametrize(("method", "path", "body"), SENT, ids=[f"{m} {p}" for m, p, _ in SENT])
@pytest.mark.slow
async def test_no_value_of_a_field_is_a_mistake_of_the_server(
    method: str, path: str, body: Json
) -> None:
    async with rest_server() as server:
        whole = await filled(server, path)
        for place, changed in wrong_bodies(body):
            before = await things_in(server)

            response = await send(server, method, whole, json.dumps(changed).encode())

            assert response.status_code < 500, (place, response.text)
            if response.status_code >= 400:
                assert await things_in(server) == before, place
                assert response.json()["detail"], place
                assert len(response.text) < 20_000, place


def wrong_bodies(body: Json) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield (where, body) with each field in turn left out, and with what it does not expect."""
    for place in places(body):
        *way, last = ["", *place]
        for strange in STRANGE:
            changed = {"": deepcopy(body)}
            inside: Any = changed
            for step in way:
                inside = inside[step]
            inside[last] = strange
            yield place, changed[""]
        if isinstance(last, str) and place:
            inside[last] = None
            del inside[last]
            yield place, changed[""]


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*way, key))


async def test_of_a_field_that_is_there_twice_the_last_counts(server: RestServer) -> None:
    path = await filled(server, "/api/blocks/{block_id}/execute")

    response = await send(server, "POST", path, b'{"operation": "Add", "a": 1, "b": 2, "b": 3}')

    assert (response.status_code, response.json()) == (200, {"result": [4]})
