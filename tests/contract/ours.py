"""What our REST offers beside the contract."""

from typing import Any

_DELIVERIES = "/api/integrations/webhooks/{webhook_id}/deliveries"

_CHANNEL = "/api/notifications/channels/{channel_id}"

_PARKED = "/api/admin/parked-runs/{run_id}/retry"
_RETRY = "/api/graphs/{graph_id}/executions/{graph_exec_id}/retry"

#: Ours, beside the contract.
OURS: dict[str, dict[str, Any]] = {
    name: {"method": method, "path": path, "statuses": [status]}
    for name, method, path, status in (
        ("postV1Execute active graph agent", "POST", "/api/graphs/{graph_id}/execute", "200"),
        ("getV1List system jobs", "GET", "/api/admin/jobs", "200"),
        ("getV1List runs of system job", "GET", "/api/admin/jobs/{job_name}/runs", "200"),
        ("postV1Run system job", "POST", "/api/admin/jobs/{job_name}/run", "200"),
        ("getV1List parked runs", "GET", "/api/admin/parked-runs", "200"),
        ("postV1Retry parked run", "POST", _PARKED, "204"),
        ("postV1Retry parked graph execution", "POST", _RETRY, "200"),
        ("getV1List audit log", "GET", "/api/audit", "200"),
        ("getV1List notices", "GET", "/api/admin/notices", "200"),
        ("postV1Retry notices", "POST", "/api/admin/notices/retry", "200"),
        ("postV1Resume api key", "POST", "/api/api-keys/{key_id}/resume", "200"),
        ("postV1Rotate api key", "POST", "/api/api-keys/{key_id}/rotate", "200"),
        ("getV1Get schedule", "GET", "/api/schedules/{schedule_id}", "200"),
        ("patchV1Change schedule", "PATCH", "/api/schedules/{schedule_id}", "200"),
        ("postV1Run schedule now", "POST", "/api/schedules/{schedule_id}/run", "200"),
        ("getV1List agent alerts", "GET", "/api/graphs/{graph_id}/alerts", "200"),
        ("postV1Add agent alert", "POST", "/api/graphs/{graph_id}/alerts", "200"),
        ("getV1Get agent alert", "GET", "/api/graphs/{graph_id}/alerts/{alert_id}", "200"),
        ("patchV1Change agent alert", "PATCH", "/api/graphs/{graph_id}/alerts/{alert_id}", "200"),
        ("deleteV1Remove agent alert", "DELETE", "/api/graphs/{graph_id}/alerts/{alert_id}", "204"),
        ("getV1List model budgets", "GET", "/api/budgets", "200"),
        ("putV1Set model budget", "PUT", "/api/budgets", "200"),
        ("deleteV1Remove model budget", "DELETE", "/api/budgets/{budget_id}", "204"),
        ("getV1List webhooks", "GET", "/api/integrations/webhooks", "200"),
        ("getV1List webhook deliveries", "GET", _DELIVERIES, "200"),
        ("getV1Get webhook delivery", "GET", f"{_DELIVERIES}/{{delivery_id}}", "200"),
        ("postV1Replay webhook delivery", "POST", f"{_DELIVERIES}/{{delivery_id}}/replay", "200"),
        ("getV1List notifications", "GET", "/api/notifications", "200"),
        ("postV1Mark notifications read", "POST", "/api/notifications/read", "200"),
        ("getV1List notification channels", "GET", "/api/notifications/channels", "200"),
        ("postV1Add notification channel", "POST", "/api/notifications/channels", "201"),
        ("getV1Get notification channel", "GET", _CHANNEL, "200"),
        ("patchV1Change notification channel", "PATCH", _CHANNEL, "200"),
        ("deleteV1Remove notification channel", "DELETE", _CHANNEL, "204"),
        ("postV1Test notification channel", "POST", f"{_CHANNEL}/test", "200"),
        ("getV1Get model usage", "GET", "/api/usage", "200"),
    )
}

#: What may be asked of an operation beside what the contract has; none of it must be.
MORE_QUERIES = {
    "getV1List execution schedules for a graph": ("include_paused",),
    "getV1List execution schedules for a user": ("include_paused",),
    "getV1Initiate oauth flow": ("server_url",),
}

#: Signing in, which the contract leaves to others; tests/contract/test_accounts.py asks them.
SIGN_IN = {
    "postV1Log in",
    "postV1Refresh session",
    "postV1Log out",
    "postV1Forget password",
    "postV1Reset password",
    "postV1Confirm user email",
    "getV1Sign in at provider",
    "getV1Come back from provider",
    "getV1List sessions",
    "deleteV1End session",
    "postV1Change password",
}
