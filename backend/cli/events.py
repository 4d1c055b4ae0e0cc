"""`agpt test event`: a graph that a webhook starts, one delivery to it, and the run that came of it."""

import hashlib
import hmac
import json
import sys
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import click

from backend.cli.client import ANSWER_S, CONNECT_S, Server, server_at
from backend.cli.graphs import explained, file_form, token_option
from backend.cli.options import FiniteRange
from backend.cli.outcome import RunResult, show, show_json
from backend.cli.run import INTERRUPTED, wait_for_end
from backend.core.errors import AgentServerError, BadRequest, GraphInvalid, Unavailable

PAYLOAD: Final = {"name": "World"}
CONSTANTS: Final = {"greeting": "Hello"}
_RUN_LIMIT_S: Final = 60.0
#: A server that was just started anew begins with what waits.
_START_S: Final = 20.0
_LOOK_S: Final = 0.05
_OK: Final = 200
_MOST_SHOWN: Final = 300


@click.command()
@click.argument("server", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.option(
    "--timeout",
    type=FiniteRange(min=0, min_open=True, max=10_000_000),
    metavar="SECONDS",
    default=_RUN_LIMIT_S,
    show_default=True,
    help="Stop the run after so long.",
)
@token_option
def event(*, server: str | None, as_json: bool, timeout: float, token: str | None) -> None:
    """
    Create a graph with a webhook on SERVER, send one event to it, and print the run it starts.

    The event goes to the address that the server gives out (PLATFORM_BASE_URL), signed, so that a
    wrong address is found too. The graph and its run stay on the server; the webhook does not.

    Exit code 1: the event was refused, or the run is not COMPLETED in time.
    """
    from backend.usecases.greeting import create_test_graph  # noqa: PLC0415 -- help does without

    graph = create_test_graph()
    with server_at(server, token) as running:
        try:
            saved = running.create_graph(file_form(graph))
        except GraphInvalid as exc:
            raise BadRequest(explained(exc)) from exc
        preset = _set_up(running, saved)
        try:
            send(preset["webhook"], PAYLOAD)
            run_id = _run_of(running, saved["id"], preset["id"])
            run, stopped_by = wait_for_end(running, saved["id"], run_id, timeout)
        finally:
            running.ask("DELETE", f"/api/library/presets/{quote(preset['id'], safe='')}")
    ids = {new["id"]: old.id for new, old in zip(saved["nodes"], graph.nodes, strict=False)}
    result = RunResult(run=run, graph=graph, ids=ids, stopped_by=stopped_by)
    if as_json:
        show_json(result)
    else:
        click.echo(f"graph {saved['id']} version {saved['version']}")
        click.echo(f"webhook {preset['webhook']['url']}")
        click.echo(f"run {run['id']} {run['status']}")
        show(result)
    if stopped_by == "interrupt":
        sys.exit(INTERRUPTED)
    if stopped_by is not None or not result.is_success:
        sys.exit(1)


def _set_up(server: Server, saved: Mapping[str, Any]) -> Any:
    wanted = {
        "name": "agpt test event",
        "graph_id": saved["id"],
        "graph_version": saved["version"],
        "trigger_config": {"constants": CONSTANTS, "require_signature": True},
    }
    preset = server.ask("POST", "/api/library/presets/setup-trigger", wanted)
    webhook = preset.get("webhook") if isinstance(preset, dict) else None
    if not isinstance(webhook, dict) or not webhook.keys() >= {"url", "secret"}:
        raise Unavailable(f"{server.address.origin} is no agent server: it answers otherwise.")
    return preset


def send(webhook: Mapping[str, Any], payload: Any) -> None:
    """
    Deliver *payload* to *webhook*, signed and under a name, as a careful sender does.

    Raises:
        Unavailable: If nobody answers at its address.
        BadRequest: If the delivery is refused.
    """
    import httpx2  # noqa: PLC0415 -- heavy, and `agpt --help` does without

    body = json.dumps(payload).encode()
    digest = hmac.new(str(webhook["secret"]).encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Hub-Signature-256": f"sha256={digest}",
        "Idempotency-Key": uuid.uuid4().hex,
    }
    url, limits = webhook["url"], httpx2.Timeout(ANSWER_S, connect=CONNECT_S)
    try:
        # No token goes there: the address may be anybody's.
        answered = httpx2.post(url, content=body, headers=headers, timeout=limits, trust_env=False)
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as exc:  # the last: no host name
        raise Unavailable(
            f"The webhook's address {url} does not answer: {exc or 'no answer in time'}. "
            "PLATFORM_BASE_URL of the server says where its webhooks are."
        ) from exc
    if answered.status_code != _OK:
        raise BadRequest(f"{url} answered {answered.status_code}: {_reason(answered.text)}")


def _reason(text: str) -> str:
    """Return what an answer says, on one line."""
    try:
        said = json.loads(text)
    except ValueError:
        said = text
    detail = said.get("detail", said) if isinstance(said, dict) else said
    return " ".join(str(detail).split())[:_MOST_SHOWN] or "it says not why"


def _run_of(server: Server, graph_id: str, preset_id: str) -> str:
    """Return the run that the delivery starts: the delivery is on disk, its run in a moment."""
    deadline = time.monotonic() + _START_S
    while True:
        answered = server.ask("GET", f"/api/graphs/{quote(graph_id, safe='')}/executions")
        for run in answered["executions"]:
            if run["preset_id"] == preset_id:
                return str(run["id"])
        if time.monotonic() > deadline:
            break
        time.sleep(_LOOK_S)
    raise AgentServerError(
        "The webhook took the event, but no run came of it: see the server's log."
    )
