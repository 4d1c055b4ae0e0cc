"""Requests that nobody can answer: the right 4xx, a clear text, nothing written, never a 5xx."""

from typing import Any

import pytest

from tests.contract.rest_server import CALCULATOR, PLACEHOLDER, RestServer, sample_graph, things_in

UNKNOWN = "00000000-0000-4000-8000-000000000000"
EVERY_MINUTE = {"name": "s", "cron": "* * * * *", "inputs": {}}
DEEP: Any = "x"
for _ in range(200):
    DEEP = [DEEP]


def schedule(**changes: Any) -> dict[str, Any]:
    """Return a schedule to make."""
    return {**EVERY_MINUTE, **changes}


#: What is wrong, method, path ({graph} and {run} are there), body, status, what its answer says.
REQUESTS: list[tuple[str, str, str, Any, int, str]] = [
    ("a route that is not there", "GET", "/api/nothing", None, 404, "Not Found"),
    ("a method that is not there", "PATCH", "/api/graphs", None, 405, "Method Not Allowed"),
    ("an unknown graph", "GET", f"/api/graphs/{UNKNOWN}", None, 404, "not found"),
    ("the audit log for anybody", "GET", "/api/audit", None, 403, "administrators"),
    ("notices of all for anybody", "GET", "/api/admin/notices", None, 403, "administrators"),
    ("a retry for anybody", "POST", "/api/admin/notices/retry", {}, 403, "administrators"),
    ("letters for anybody", "GET", "/api/admin/notices/preview/AGENT_RUN", None, 403, "administrators"),
    ("an unknown version", "GET", "/api/graphs/{graph}?version=9", None, 404, "not found"),
    ("version 0", "GET", "/api/graphs/{graph}?version=0", None, 404, "not found"),
    ("a version over 64 bits", "GET", f"/api/graphs/{{graph}}?version={2**80}", None, 404, "not found"),
    ("a version in words", "GET", "/api/graphs/{graph}/versions/first", None, 422, "valid integer"),
    ("for_export in words", "GET", "/api/graphs/{graph}?for_export=maybe", None, 422, "boolean"),
    ("an id with U+0000", "GET", "/api/graphs/a%00b", None, 404, "not found"),
    ("an id of 10 kB", "GET", "/api/graphs/" + "x" * 10_000, None, 404, "not found"),
    ("an id that is no UTF-8", "GET", "/api/graphs/%ff%fe", None, 404, "not found"),
    ("versions of an unknown graph", "GET", f"/api/graphs/{UNKNOWN}/versions", None, 404, "not found"),
    ("a new version of an unknown graph", "PUT", f"/api/graphs/{UNKNOWN}", sample_graph(), 404, "not found"),
    ("a graph under another's id", "PUT", "/api/graphs/{graph}", sample_graph(id="other"), 400, "does not match"),
    ("an active version that is not there", "PUT", "/api/graphs/{graph}/versions/active", {"active_graph_version": 7}, 404, "not found"),
    ("an active version in words", "PUT", "/api/graphs/{graph}/versions/active", {"active_graph_version": "x"}, 422, "valid integer"),
    ("no body", "POST", "/api/graphs", None, 422, "Field required"),
    ("a body that is a list", "POST", "/api/graphs", [], 422, "dictionary"),
    ("a graph that is a text", "POST", "/api/graphs", {"graph": "x"}, 400, "graph"),
    ("a graph that is a number", "POST", "/api/graphs", {"graph": 1}, 422, "graph"),
    ("an unknown source", "POST", "/api/graphs", {"graph": sample_graph(), "source": "moon"}, 422, "builder"),
    ("a run of an unknown graph", "POST", f"/api/graphs/{UNKNOWN}/execute/1", {}, 400, "not found"),
    ("a run of an unknown version", "POST", "/api/graphs/{graph}/execute/9", {}, 400, "not found"),
    ("a run of version 0", "POST", "/api/graphs/{graph}/execute/0", {}, 400, "not found"),
    ("a run of a huge version", "POST", f"/api/graphs/{{graph}}/execute/{10**19}", {}, 400, "not found"),
    ("a run of a version in words", "POST", "/api/graphs/{graph}/execute/new", {}, 422, "valid integer"),
    ("inputs that are a list", "POST", "/api/graphs/{graph}/execute/1", {"inputs": []}, 422, "inputs"),
    ("inputs nested too deeply", "POST", "/api/graphs/{graph}/execute/1", {"inputs": {"text": DEEP}}, 422, "nested deeper than 128"),
    ("credentials that are a text", "POST", "/api/graphs/{graph}/execute/1", {"credentials_inputs": {"a": "b"}}, 422, "credentials_inputs"),
    ("credentials of no type", "POST", "/api/graphs/{graph}/execute/1", {"credentials_inputs": {"a": {"id": "1", "provider": "p", "type": "magic"}}}, 422, "api_key"),
    ("a preset id of 10 kB", "POST", "/api/graphs/{graph}/execute/1?preset_id=" + "x" * 10_000, {}, 422, "preset_id"),
    ("a run body that is a list", "POST", "/api/graphs/{graph}/execute/1", [1], 422, "dictionary"),
    ("an unknown run", "GET", f"/api/graphs/{{graph}}/executions/{UNKNOWN}", None, 404, "not found"),
    ("a run of another graph", "GET", f"/api/graphs/{UNKNOWN}/executions/{{run}}", None, 404, "not found"),
    ("page 0", "GET", "/api/graphs/{graph}/executions?page=0", None, 422, "greater than or equal"),
    ("101 a page", "GET", "/api/graphs/{graph}/executions?page_size=101", None, 422, "less than or equal"),
    ("questions of an unknown run", "GET", f"/api/review/execution/{UNKNOWN}", None, 404, "not found"),
    ("questions, page 0", "GET", "/api/review/pending?page=0", None, 422, "greater than or equal"),
    ("101 questions a page", "GET", "/api/review/pending?page_size=101", None, 422, "less than or equal"),
    ("no decisions", "POST", "/api/review/action", None, 422, "Field required"),
    ("an empty list of decisions", "POST", "/api/review/action", {"reviews": []}, 422, "at least 1 item"),
    ("a decision about nothing known", "POST", "/api/review/action", {"reviews": [{"node_exec_id": UNKNOWN, "approved": True}]}, 404, "not found"),
    ("settings of an unknown graph", "PATCH", f"/api/graphs/{UNKNOWN}/settings", {"sensitive_action_safe_mode": True}, 404, "not in your library"),
    ("settings in words", "PATCH", "/api/graphs/{graph}/settings", {"sensitive_action_safe_mode": "perhaps"}, 422, "boolean"),
    ("settings that are a list", "PATCH", "/api/graphs/{graph}/settings", [], 422, "dictionary"),
    ("deleting an unknown run", "DELETE", f"/api/executions/{UNKNOWN}", None, 404, "not found"),
    ("deleting a run with an id of NULs", "DELETE", "/api/executions/%00%00", None, 404, "not found"),
    ("an unknown block", "POST", f"/api/blocks/{UNKNOWN}/execute", {}, 404, "not found"),
    ("a block that is not built", "POST", f"/api/blocks/{PLACEHOLDER}/execute", {}, 400, "not built into this server"),
    ("a block without its input", "POST", f"/api/blocks/{CALCULATOR}/execute", {"a": 1}, 400, "required property"),
    ("a block with a list for input", "POST", f"/api/blocks/{CALCULATOR}/execute", [1], 422, "dictionary"),
    ("an unknown time zone", "POST", "/api/auth/user/timezone", {"timezone": "Mars/Olympus"}, 422, "time zone"),
    ("a time zone in lower case", "POST", "/api/auth/user/timezone", {"timezone": "europe/berlin"}, 422, "time zone"),
    ("an unknown account", "POST", "/api/auth/login", {"email": "nobody@example.com", "password": "x"}, 401, "is wrong"),
    ("a login without a password", "POST", "/api/auth/login", {"email": "a@example.com"}, 422, "password"),
    ("a login with more than it takes", "POST", "/api/auth/login", {"email": "a", "password": "b", "role": "admin"}, 422, "role"),
    ("an unknown refresh token", "POST", "/api/auth/refresh", {"refresh_token": "agpt_rt_x"}, 401, "not good"),
    ("a provider that is not set up", "GET", "/api/auth/oidc/login", None, 404, "not set up"),
    ("coming from nowhere", "GET", "/api/auth/oidc/callback?state=x&code=y", None, 404, "not set up"),
    ("coming without a state", "GET", "/api/auth/oidc/callback", None, 422, "state"),
    ("an empty reset token", "POST", "/api/auth/password/reset", {"token": "", "new_password": "twelve or more"}, 422, "token"),
    ("no reset token", "POST", "/api/auth/password/reset", {"token": None, "new_password": "twelve or more"}, 422, "token"),
    ("an unknown reset token", "POST", "/api/auth/password/reset", {"token": "x", "new_password": "twelve or more"}, 400, "not good"),
    ("a letter for nobody", "POST", "/api/auth/password/forgot", {}, 422, "email"),
    ("logging out of no session", "POST", "/api/auth/logout", None, 404, "no session"),
    ("ending an unknown session", "DELETE", f"/api/auth/sessions/{UNKNOWN}", None, 404, "not found"),
    ("a password of an account without one", "POST", "/api/auth/password", {"current_password": "x", "new_password": "y"}, 401, "is wrong"),
    ("a schedule without a name", "POST", "/api/graphs/{graph}/schedules", {"cron": "* * * * *", "inputs": {}}, 422, "name"),
    ("a cron of four fields", "POST", "/api/graphs/{graph}/schedules", schedule(cron="* * * *"), 400, "has 4 fields"),
    ("a cron with minute 61", "POST", "/api/graphs/{graph}/schedules", schedule(cron="61 * * * *"), 400, "Bad minute"),
    ("a cron that never fires", "POST", "/api/graphs/{graph}/schedules", schedule(cron="0 0 31 2 *"), 400, "day-of-month"),
    ("a cron of 10 kB", "POST", "/api/graphs/{graph}/schedules", schedule(cron="1," * 5_000 + "1 * * * *"), 422, "at most"),
    ("a schedule on Mars", "POST", "/api/graphs/{graph}/schedules", schedule(timezone="Mars/Olympus"), 400, "unknown timezone"),
    ("a schedule in the file system", "POST", "/api/graphs/{graph}/schedules", schedule(timezone="../../etc/passwd"), 400, "unknown timezone"),
    ("a schedule of an unknown graph", "POST", f"/api/graphs/{UNKNOWN}/schedules", schedule(), 404, "not found"),
    ("a schedule of an unknown version", "POST", "/api/graphs/{graph}/schedules", schedule(graph_version=9), 404, "not found"),
    ("a schedule in the past", "POST", "/api/graphs/{graph}/schedules", schedule(cron="@at 2001-01-01T00:00"), 400, "never fires from now on"),
    ("a schedule of all seconds", "POST", "/api/graphs/{graph}/schedules", schedule(cron="@every 0s"), 400, "takes 1s to 366d"),
    ("a schedule that ends first", "POST", "/api/graphs/{graph}/schedules", schedule(starts_at="2030-01-02T00:00", ends_at="2030-01-01T00:00"), 400, "before starts_at"),
    ("a schedule with odd overlap", "POST", "/api/graphs/{graph}/schedules", schedule(overlap="maybe"), 422, "overlap"),
    ("a schedule a year late", "POST", "/api/graphs/{graph}/schedules", schedule(jitter_s=10**7), 422, "jitter_s"),
    ("reading an unknown schedule", "GET", f"/api/schedules/{UNKNOWN}", None, 404, "not found"),
    ("changing an unknown schedule", "PATCH", f"/api/schedules/{UNKNOWN}", {"name": "n"}, 404, "not found"),
    ("running an unknown schedule", "POST", f"/api/schedules/{UNKNOWN}/run", None, 404, "not found"),
    ("deleting an unknown schedule", "DELETE", f"/api/schedules/{UNKNOWN}", None, 404, "not found"),
    ("a plain schedule of another graph", "POST", "/graphs/{graph}/schedules", {"graph_id": "other", "cron": "* * * * *"}, 400, "not the one in the path"),
    ("deliveries of an unknown webhook", "GET", f"/api/integrations/webhooks/{UNKNOWN}/deliveries", None, 404, "not found"),
    ("a page that never was", "GET", f"/api/integrations/webhooks/{UNKNOWN}/deliveries?cursor=7", None, 400, "next_cursor"),
    ("no deliveries a page", "GET", f"/api/integrations/webhooks/{UNKNOWN}/deliveries?limit=0", None, 422, "greater than or equal"),
    ("an unknown delivery", "GET", f"/api/integrations/webhooks/{UNKNOWN}/deliveries/{UNKNOWN}", None, 404, "not found"),
    ("an unknown delivery again", "POST", f"/api/integrations/webhooks/{UNKNOWN}/deliveries/{UNKNOWN}/replay", None, 404, "not found"),
    ("a run of an unknown graph, of its active version", "POST", f"/api/graphs/{UNKNOWN}/execute", {}, 400, "not found"),
    ("a plain run of an unknown version", "POST", "/graphs/{graph}/execute/9", {"text": "a"}, 400, "not found"),
    ("a plain run with a list for inputs", "POST", "/graphs/{graph}/execute", ["a"], 422, "dictionary"),
    ("a plain graph without a name", "POST", "/graphs", {"nodes": [], "links": []}, 422, "name"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_wrong_request_is_refused_and_nothing_is_written(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    graph = await server.new_graph()
    run = await server.new_run(graph)
    before = await things_in(server)

    response = await server.ask(
        method, path.replace("{graph}", graph["id"]).replace("{run}", run["id"]), body
    )

    assert response.status_code == status, response.text
    assert says in response.text
    assert await things_in(server) == before


#: Bodies that are no JSON that could be kept, by what is wrong with them.
BODIES: dict[str, tuple[bytes, str]] = {
    "half a body": (b'{"inputs": {', "JSON decode error"),
    "no UTF-8": (b'{"inputs": {"text": "\xff"}}', "JSON decode error"),
    "a lone surrogate": (b'{"inputs": {"text": "\\ud800"}}', "JSON decode error"),
    "NaN": (b'{"inputs": {"text": NaN}}', "JSON decode error"),
    "an infinite number": (b'{"inputs": {"text": 1e999}}', "JSON decode error"),
    "100,000 brackets": (b"[" * 100_000, "JSON decode error"),
    "1,000 levels": (b'{"inputs": {"a":' + b"[" * 1_000 + b"]" * 1_000 + b"}}", "nested deeper"),
    "two values": (b"{} {}", "JSON decode error"),
}


@pytest.mark.parametrize("path", ["/api/graphs", "/api/graphs/{graph}/execute/1"])
@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_is_no_json_is_refused_and_nothing_is_written(
    server: RestServer, path: str, name: str
) -> None:
    graph = await server.new_graph()
    before = await things_in(server)
    body, says = BODIES[name]

    response = await server.ask(
        "POST",
        path.replace("{graph}", graph["id"]),
        content=body,
        headers={"Content-Type": "application/json"},
    )

    assert response.status_code == 422, response.text
    assert says in response.text
    assert response.json().keys() == {"message", "detail", "hint"}
    assert await things_in(server) == before


async def test_a_number_over_64_bits_starts_a_run_as_the_nearest_number_there_is(
    server: RestServer,
) -> None:
    graph = await server.new_graph()

    response = await server.ask(
        "POST",
        f"/api/graphs/{graph['id']}/execute/1",
        content=b'{"inputs": {"text": 123456789012345678901234567890}}',
        headers={"Content-Type": "application/json"},
    )

    assert response.status_code == 200
    assert response.json()["inputs"] == {"text": 1.2345678901234568e29}


async def test_a_wrong_content_type_is_refused(server: RestServer) -> None:
    response = await server.ask(
        "POST", "/api/graphs", content=b"name=x", headers={"Content-Type": "text/plain"}
    )

    assert response.status_code == 422


async def test_what_is_somebody_elses_is_answered_like_what_is_not_there(
    server: RestServer,
) -> None:
    graph = await server.new_graph(user="ann")
    run = await server.new_run(graph, user="ann")
    body = {**EVERY_MINUTE, "inputs": {"text": "hello"}}
    made = await server.ask("POST", f"/api/graphs/{graph['id']}/schedules", body, user="ann")
    await server.ask("POST", "/api/auth/user", user="bob")
    before = await things_in(server)
    requests = [
        ("GET", "/api/graphs/{graph}", None),
        ("GET", "/api/graphs/{graph}/versions", None),
        ("PUT", "/api/graphs/{graph}", sample_graph()),
        ("PUT", "/api/graphs/{graph}/versions/active", {"active_graph_version": 1}),
        ("DELETE", "/api/graphs/{graph}", None),
        ("POST", "/api/graphs/{graph}/execute/1", {"inputs": {"text": "x"}}),
        ("POST", "/api/graphs/{graph}/execute", {"inputs": {"text": "x"}}),
        ("GET", "/api/graphs/{graph}/executions", None),
        ("GET", "/api/graphs/{graph}/executions/{run}", None),
        ("POST", "/api/graphs/{graph}/executions/{run}/stop", None),
        ("DELETE", "/api/executions/{run}", None),
        ("POST", "/api/graphs/{graph}/schedules", body),
        ("GET", "/api/graphs/{graph}/schedules", None),
        ("DELETE", "/api/schedules/{schedule}", None),
    ]

    for method, path, sent in requests:
        theirs, nobodys = (
            path.replace("{graph}", ids[0]).replace("{run}", ids[1]).replace("{schedule}", ids[2])
            for ids in ((graph["id"], run["id"], made.json()["id"]), (UNKNOWN, UNKNOWN, UNKNOWN))
        )
        one = await server.ask(method, theirs, sent, user="bob")
        other = await server.ask(method, nobodys, sent, user="bob")
        assert one.status_code == other.status_code, path
        ids = (graph["id"], run["id"], made.json()["id"])
        shown = one.text
        for id_ in ids:
            shown = shown.replace(id_, UNKNOWN)
        assert shown == other.text, path

    assert await things_in(server) == before
