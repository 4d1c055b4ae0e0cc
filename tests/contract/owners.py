"""Users of the ownership matrix, and how they get one of each kind of thing that somebody owns."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from backend.adapters.storage import usage
from backend.adapters.storage.credits import SqlLedger
from backend.adapters.storage.notice_sends import SqlSendQueue
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.node_steps import ModelUse, StepPlace
from backend.core.notice_channels import InboxEntry, Routed
from tests.contract.api_keys import key_of, text_of_key
from tests.contract.oauth import app_of
from tests.contract.rest_server import Json, RestServer
from tests.contract.sessions import begin_session
from tests.contract.stored import API_KEY
from tests.contract.triggered import deliver, new_preset, new_trigger

Makes = Callable[["Owner"], Awaitable[str]]


class Owner:
    """A user, and one of each of their things, made when somebody asks for it."""

    def __init__(self, server: RestServer, user: str) -> None:
        self.server = server
        self.user = user
        self.things: dict[str, str] = {}

    async def thing(self, kind: str) -> str:
        """Return the id of the thing of a kind."""
        if kind not in self.things:
            self.things[kind] = await MAKERS[kind](self)
        return self.things[kind]

    async def make_all(self) -> None:
        """Make one of each kind."""
        for kind in MAKERS:
            await self.thing(kind)

    async def made(self, method: str, path: str, body: Any = None, **more: Any) -> Json:
        """Ask for something that must be given, and return the answer."""
        response = await self.server.ask(method, path, body, user=self.user, **more)
        assert response.status_code < 300, response.text
        answered: Json = response.json()
        return answered


async def _graph(owner: Owner) -> str:
    return str((await owner.server.new_graph(user=owner.user))["id"])


async def _run(owner: Owner) -> str:
    graph = {"id": await owner.thing("graph_id"), "version": 1}
    return str((await owner.server.new_run(graph, user=owner.user))["id"])


async def _question(owner: Owner) -> str:
    graph = {"id": await owner.thing("graph_id"), "version": 1}
    run = await owner.server.new_run(graph, user=owner.user)
    await owner.server.ask_person(run, f"{run['id']}-1")
    owner.things["asking_run_id"] = run["id"]
    return f"{run['id']}-1"


async def _asking_run(owner: Owner) -> str:
    await owner.thing("node_exec_id")
    return owner.things["asking_run_id"]


async def _schedule(owner: Owner) -> str:
    path = f"/api/graphs/{await owner.thing('graph_id')}/schedules"
    body = {"name": "s", "cron": "* * * * *", "inputs": {"text": "a"}}
    return str((await owner.made("POST", path, body))["id"])


async def _preset(owner: Owner) -> str:
    graph = {"id": await owner.thing("graph_id"), "version": 1}
    return str((await new_preset(owner.server, graph, user=owner.user))["id"])


async def _webhook(owner: Owner) -> str:
    preset = await new_trigger(owner.server, user=owner.user)
    owner.things["triggered_graph_id"] = preset["graph_id"]
    return str(preset["webhook"]["id"])


async def _delivery(owner: Owner) -> str:
    webhook_id = await owner.thing("webhook_id")
    path = f"/api/integrations/generic_webhook/webhooks/{webhook_id}/ingress"
    await deliver(owner.server, path, {"from": owner.user})
    listed = f"/api/integrations/webhooks/{webhook_id}/deliveries"
    return str((await owner.made("GET", listed))["deliveries"][0]["id"])


async def _triggered_graph(owner: Owner) -> str:
    await owner.thing("webhook_id")
    return owner.things["triggered_graph_id"]


async def _library_agent(owner: Owner) -> str:
    path = f"/api/library/agents/by-graph/{await owner.thing('graph_id')}"
    return str((await owner.made("GET", path))["id"])


async def _search(owner: Owner) -> str:
    path = "/api/builder/search?search_query=text"
    return str((await owner.made("GET", path))["search_id"])


async def _credentials(owner: Owner) -> str:
    # The matrix fills {provider} with this one.
    path = "/api/integrations/generic_webhook/credentials"
    return str((await owner.made("POST", path, API_KEY))["id"])


async def _mail_limit(owner: Owner) -> str:
    body = {"email": "", "preferences": {}, "daily_limit": 7}
    return str((await owner.made("POST", "/api/auth/user/preferences", body))["email"])


async def _charge(owner: Owner) -> str:
    # No server of the matrix has credits on: the row is the ledger's own.
    ledger = SqlLedger(owner.server.storage.database)
    await ledger.of(UserId(owner.user)).grant(5, key=f"for-{owner.user}", reason="", now_us=1)
    return f"for-{owner.user}"


async def _budget(owner: Owner) -> str:
    return str((await owner.made("PUT", "/api/budgets", {"limit": 5}))["id"])


async def _alert(owner: Owner) -> str:
    path = f"/api/graphs/{await owner.thing('graph_id')}/alerts"
    return str((await owner.made("POST", path, {"kind": "failed"}))["id"])


async def _channel(owner: Owner) -> str:
    body = {"kind": "ntfy", "config": {"topic": "t"}, "name": owner.user}
    return str((await owner.made("POST", "/api/notifications/channels", body))["id"])


async def _notice(owner: Owner) -> str:
    # Entries are made by the notification service, which is not here.
    id_ = f"notice of {owner.user}"
    entry = InboxEntry(
        id=id_, user_id=UserId(owner.user), kind="AGENT_RUN", title=id_, text="", created_us=1
    )
    queue = SqlSendQueue(owner.server.storage.database)
    await queue.route([Routed(entry=entry)], now_us=1)
    return id_


async def _model_usage(owner: Owner) -> str:
    # Calls of models are counted by the executor, which is not here.
    place = StepPlace(
        user_id=UserId(owner.user),
        graph_id=GraphId(await owner.thing("graph_id")),
        run_id=ExecutionId("r"),
        root_id=ExecutionId("r"),
        node_exec_id="n",
        owner="w",
        attempt=1,
    )
    model, use, now_us = f"model-{owner.user}", ModelUse(calls=1), owner.server.clock.now_us()
    database = owner.server.storage.database
    await database.write(lambda c: usage.add(c, place, model, use, now_us))
    return model


async def _file(owner: Owner) -> str:
    files = {"file": (f"{owner.user}.txt", owner.user.encode(), "text/plain")}
    made = await owner.made("POST", "/api/files/upload", files=files)
    return str(made["file_uri"]).removeprefix("workspace://")


async def _chat(owner: Owner) -> str:
    return str((await owner.made("POST", "/api/chat/sessions"))["id"])


#: How one of each kind of thing is made, by the name that its id has in routes and bodies.
MAKERS: Final[dict[str, Makes]] = {
    "graph_id": _graph,
    "graph_exec_id": _run,
    "schedule_id": _schedule,
    "preset_id": _preset,
    "webhook_id": _webhook,
    "delivery_id": _delivery,
    "triggered_graph_id": _triggered_graph,
    "node_exec_id": _question,
    "asking_run_id": _asking_run,
    "library_agent_id": _library_agent,
    "cred_id": _credentials,
    "search": _search,
    "file_id": _file,
    "charge": _charge,
    "budget_id": _budget,
    "alert_id": _alert,
    "channel_id": _channel,
    "notice": _notice,
    "model_usage": _model_usage,
    "key_id": key_of,
    "key_text": text_of_key,
    "mail_limit": _mail_limit,
    "app_id": app_of,
    "chat_id": _chat,
    "session_id": lambda owner: begin_session(owner.server, owner.user),
}
