"""A REST application over real storage in a new data directory, and what tests ask it with."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import jwt
from fastapi import FastAPI
from sqlalchemy import Connection, func, select, update

from backend.adapters.dispatch.local import LocalDispatcher, LocalSignalSource
from backend.adapters.storage import SqlStorage, reviews, schema, tables
from backend.adapters.storage.audit_log import SqlAuditLog
from backend.adapters.storage.credits import SqlLedger
from backend.api.context import Context, Health
from backend.core.block import BlockSpec
from backend.core.catalog import Catalog
from backend.core.execution import Output
from backend.core.ids import ExecutionId, GraphId, NodeExecutionId, NodeId, UserId
from backend.core.plan import Inputs
from backend.core.reviews import ReviewRecord, ReviewStatus
from backend.core.status import Status
from backend.discovery import load_blocks, load_catalog
from backend.ports.dispatch import SignalKind
from backend.ports.files import FileLimits
from backend.services.audit import AuditService
from backend.services.blocks import BlockService, Once
from backend.services.chat import CopilotModel
from backend.services.credits import CreditService
from backend.services.executions import ExecutionService
from backend.services.files import FileService
from backend.services.graphs import GraphService
from backend.services.oauth_calls import OAuthClient
from backend.services.presets import PresetService
from backend.services.reviews import ReviewService
from backend.services.schedules import ScheduleService
from backend.services.users import UserService
from backend.services.webhooks import WebhookService
from backend.testing.blocks import outputs_of
from backend.testing.clock import FakeClock
from backend.testing.files import TransientFiles
from backend.wiring_library import (
    budgets_of,
    builder_of,
    imports_of,
    library_of,
    preferences_of,
    sharing_of,
    usage_of,
    watching_of,
)
from tests.contract.apps import new_app
from tests.contract.channel_parts import notices_of
from tests.contract.chats import NO_MODEL, chats_of
from tests.contract.conformance import Conformance, JudgedTransport
from tests.contract.doors import doors_of
from tests.contract.empty import empty_store
from tests.contract.sign_in import SignIn
from tests.contract.stored import executions_of, make_credentials
from tests.contract.webhook_parts import watched_of, webhooks_of
from tests.stores import Store

KEY = "a key that only tests use, long enough"
UNSUBSCRIBE_KEY = "another key that only tests use"
PRICES = {"CalculatorBlock": 30}
ANN = UserId("ann")
BOB = UserId("bob")

INPUT = "c0a8e994-ebf1-4a9c-a4d8-89d09c86741b"
OUTPUT = "363ae599-353e-4804-937e-b2ee3cef3da4"
STORE = "1ff065e9-88e8-4358-9d82-8dc91f622ba9"
CALCULATOR = "b1ab9b19-67a6-406d-abf5-2dba76d00c79"
AGENT = "e189baac-8c20-45a1-94a7-55177ea42565"
#: Known, and not built here.
PLACEHOLDER = "dd7c0293-c5af-4551-ba3e-fc162fb1fb89"

Json = dict[str, Any]


def token(user_id: str, clock: FakeClock, **claims: Any) -> str:
    """Return a token of a user; *claims* are added, and those that are None left out."""
    given = {
        "sub": user_id,
        "aud": "authenticated",
        "exp": clock.now_us() // 1_000_000 + 3_600,
        "email": f"{user_id}@example.com",
        "role": "authenticated",
        "user_metadata": {"name": user_id.title()},
        **claims,
    }
    kept = {name: value for name, value in given.items() if value is not None}
    return jwt.encode(kept, KEY, algorithm="HS256")


def sample_graph(**changes: Any) -> Json:
    """Return a graph that a client may send: an input, a store, an output."""
    return {
        "name": "Sample",
        "description": "An input is kept and given out",
        "nodes": [
            {"id": "in", "block_id": INPUT, "input_default": {"name": "text"}},
            {"id": "store", "block_id": STORE, "input_default": {}},
            {"id": "out", "block_id": OUTPUT, "input_default": {"name": "result"}},
        ],
        "links": [
            link("in", "result", "store", "input"),
            link("store", "output", "out", "value"),
        ],
        **changes,
    }


def link(source: str, source_name: str, sink: str, sink_name: str) -> Json:
    """Return a link as a client sends it."""
    return {
        "source_id": source,
        "source_name": source_name,
        "sink_id": sink,
        "sink_name": sink_name,
    }


@dataclass(kw_only=True)
class RestServer:
    """The application, and what is behind it."""

    storage: SqlStorage
    store: Store
    clock: FakeClock
    app: FastAPI
    client: httpx2.AsyncClient
    context: Context
    catalog: Catalog
    signals_path: str
    conformance: Conformance

    def as_user(self, user_id: str, **claims: Any) -> dict[str, str]:
        """Return headers that show a token of *user_id*."""
        return {"Authorization": f"Bearer {token(user_id, self.clock, **claims)}"}

    async def ask(
        self, method: str, path: str, body: Any = None, *, user: str = ANN, **more: Any
    ) -> httpx2.Response:
        """Send a request as *user*; *body* goes as JSON unless it is None."""
        headers = {**self.as_user(user), **more.pop("headers", {})}
        if body is not None:
            more["json"] = body
        return await self.client.request(method, path, headers=headers, **more)

    async def new_graph(self, graph: Json | None = None, *, user: str = ANN) -> Json:
        """Save a graph and return it as answered."""
        response = await self.ask(
            "POST", "/api/graphs", {"graph": graph or sample_graph()}, user=user
        )
        assert response.status_code == 200, response.text
        made: Json = response.json()
        return made

    async def new_run(self, graph: Json, inputs: Json | None = None, *, user: str = ANN) -> Json:
        """Start a run and return it as answered."""
        path = f"/api/graphs/{graph['id']}/execute/{graph['version']}"
        body = {"inputs": {"text": "hello"} if inputs is None else inputs}
        response = await self.ask("POST", path, body, user=user)
        assert response.status_code == 200, response.text
        made: Json = response.json()
        return made

    async def end_run(self, run_id: str, status: Status) -> None:
        """Let a run end, as the executor would."""
        await self.storage.database.write(
            lambda connection: connection.execute(
                update(tables.executions)
                .where(tables.executions.c.id == run_id)
                .values(status=status.value, ended_us=self.clock.now_us())
            )
        )

    async def paused_run(self, graph: Json, *, user: str = ANN, **question: Any) -> str:
        """Start a run, let it come to wait for a person, as the executor would, and return its id."""
        run = await self.new_run(graph, user=user)
        await self.ask_person(run, f"{run['id']}-1", **question)
        return str(run["id"])

    async def ask_person(self, run: Json, node_exec_id: str, **question: Any) -> None:
        """Let a run ask a question, and wait."""
        asked = ReviewRecord(
            node_exec_id=NodeExecutionId(node_exec_id),
            node_id=NodeId("ask"),
            user_id=UserId(run["user_id"]),
            run_id=ExecutionId(run["id"]),
            graph_id=GraphId(run["graph_id"]),
            graph_version=run["graph_version"],
            status=ReviewStatus.WAITING,
            created_us=self.clock.now_us(),
            **{"payload": {"a": 1}, "instructions": "ok?", "editable": True, **question},
        )
        self.clock.pass_time(seconds=1)

        row = reviews.new_row(asked, run["id"], self.storage.values.staging())

        def write(connection: Connection) -> None:
            reviews.add(connection, [row])
            connection.execute(
                update(tables.executions)
                .where(tables.executions.c.id == run["id"])
                .values(status=Status.REVIEW.value)
            )

        await self.storage.database.write(write)

    async def stop_asked(self, run_id: str) -> bool:
        """Say whether somebody asked this run to stop."""
        return ExecutionId(run_id) in await self.storage.stops_asked()

    async def told(self, kind: SignalKind, run_id: str) -> None:
        """Wait until the executor is told *kind* about a run."""
        source = LocalSignalSource(self.signals_path)
        try:
            async with asyncio.timeout(10):
                async for signals in source.signals():
                    if any((one.kind, one.run_id) == (kind, run_id) for one in signals):
                        return
        finally:
            await source.close()

    async def row_counts(self) -> dict[str, int]:
        """Return how many rows each table has: whether something was written."""
        return await self.storage.database.read(
            lambda connection: {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in schema.metadata.sorted_tables
            }
        )


async def things_in(server: RestServer) -> dict[str, int]:
    """Return its row counts without those that tell of a refusal."""
    counts = await server.row_counts()
    return {name: count for name, count in counts.items() if not name.startswith("audit")}


async def _run_block(
    spec: BlockSpec, inputs: Inputs, _user: UserId, *, once: Once | None = None
) -> Sequence[Output]:
    assert once is None
    return await outputs_of(load_blocks().get(spec.id), inputs)


@asynccontextmanager
async def rest_server(**options: Any) -> AsyncIterator[RestServer]:
    """Give a server with an empty database; *options* go to `create_app`. With *refill*, credits are on."""
    enabled = options.pop("auth_enabled", True)
    refill = options.pop("refill", None)
    clients = options.pop("oauth_clients", {})
    trusted = options.pop("trusted_by_calls", ())
    copilot = options.pop("copilot", NO_MODEL)
    with tempfile.TemporaryDirectory() as folder, empty_store(Path(folder)) as store:
        storage, clock, catalog = store.storage(), FakeClock(), load_catalog()
        signals = f"ipc://{folder}/signals"
        dispatcher = LocalDispatcher(signals)
        context = make_context(
            storage,
            dispatcher,
            catalog,
            clock,
            auth_enabled=enabled,
            refill=refill,
            oauth=(clients, trusted),
            copilot=copilot,
        )
        app = new_app(context, **options)
        conformance = Conformance()
        transport = JudgedTransport(app, conformance)
        async with httpx2.AsyncClient(transport=transport, base_url="http://server") as client:
            try:
                yield RestServer(
                    storage=storage,
                    store=store,
                    clock=clock,
                    app=app,
                    client=client,
                    context=context,
                    catalog=catalog,
                    signals_path=signals,
                    conformance=conformance,
                )
            finally:
                await dispatcher.close()
                await storage.close()


def _files(clock: FakeClock) -> FileService:
    limits = FileLimits(file_bytes=1000, run_bytes=3000)
    files = TransientFiles(limits, now_s=lambda: clock.now_us() / 1_000_000)
    return FileService(files=files, clock=clock)


def _credits(storage: SqlStorage, clock: FakeClock, refill: int | None) -> CreditService:
    ledger = None if refill is None else SqlLedger(storage.database, refill=refill)
    return CreditService(ledger=ledger, storage=storage, clock=clock, prices=PRICES)


def _presets(
    storage: SqlStorage,
    executions: ExecutionService,
    webhooks: WebhookService,
    catalog: Catalog,
    clock: FakeClock,
) -> PresetService:
    return PresetService(
        storage=storage,
        executions=executions,
        webhooks=webhooks,
        catalog=catalog,
        clock=clock,
        watched=watched_of(storage, catalog),
    )


async def _health(storage: SqlStorage) -> Health:
    await storage.ping()
    return Health(ready=True, details={"storage": "ok"})


def _graphs(storage: SqlStorage, catalog: Catalog, clock: FakeClock) -> GraphService:
    return GraphService(storage=storage, catalog=catalog, clock=clock)


def make_context(
    storage: SqlStorage,
    dispatcher: LocalDispatcher,
    catalog: Catalog,
    clock: FakeClock,
    *,
    auth_enabled: bool = True,
    refill: int | None = None,
    oauth: tuple[Mapping[str, OAuthClient], Sequence[str]] = ({}, ()),
    copilot: CopilotModel = NO_MODEL,
) -> Context:
    """Return all services over *storage*."""
    credentials, sign_ins = make_credentials(storage, clock, *oauth)
    users, sign_in = UserService(storage=storage, clock=clock), SignIn(storage, clock, KEY)
    graphs, credits_ = _graphs(storage, catalog, clock), _credits(storage, clock, refill)
    executions = executions_of(storage, dispatcher, graphs, catalog, credits_, clock)
    webhooks = webhooks_of(storage, executions, catalog, clock, credentials)
    return Context(
        audit=AuditService(log=SqlAuditLog(storage.database), clock=clock),
        users=users,
        blocks=BlockService(catalog=catalog, run=_run_block, require_pay=credits_.require_price),
        graphs=graphs,
        imports=imports_of(storage, graphs, catalog),
        executions=executions,
        sharing=sharing_of(storage, ""),
        library=(library := library_of(storage, graphs, clock)),
        credits=credits_,
        budgets=budgets_of(storage, clock),
        watching=watching_of(storage, clock),
        usage=usage_of(storage, clock),
        builder=builder_of(storage, library, catalog, clock),
        preferences=preferences_of(storage, clock, UNSUBSCRIBE_KEY),
        notices=notices_of(storage, clock),
        presets=_presets(storage, executions, webhooks, catalog, clock),
        webhooks=webhooks,
        credentials=credentials,
        sign_ins=sign_ins,
        reviews=ReviewService(storage=storage, dispatcher=dispatcher, clock=clock),
        schedules=ScheduleService(storage=storage, executions=executions, users=users, clock=clock),
        chats=chats_of(storage, dispatcher, clock, copilot, credits_),
        catalog=catalog,
        clock=clock,
        files=_files(clock),
        doors=doors_of(storage, clock, sign_in.accounts.may_act),
        accounts=sign_in.accounts,
        sessions=sign_in.sessions,
        oidc=sign_in.oidc(),
        resets=sign_in.resets(),
        addresses=sign_in.addresses(),
        authenticator=sign_in.authenticator(enabled=auth_enabled),
        health=lambda: _health(storage),
        metrics=lambda: b"agpt_up 1\n",
    )
