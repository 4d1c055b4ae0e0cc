"""What SQLite does for each call of the storage port: its statements, and how it would find rows."""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, event

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.notice_queue import SqlNoticeQueue
from backend.adapters.storage.retention import SqlRetention
from backend.adapters.storage.summaries import SqlSummaryFacts
from backend.core.budgets import BudgetDefaults, Estimate
from backend.core.graph import Graph
from backend.core.ids import (
    CredentialsId,
    ExecutionId,
    GraphId,
    NodeExecutionId,
    NodeId,
    ScheduleId,
    UserId,
    WebhookId,
)
from backend.core.node_steps import CallMade, PlannedCall, Remembered, StepPlace
from backend.core.notice_repeats import Repeat
from backend.core.records import (
    Hold,
    HoldKind,
    MissedPolicy,
    NewExecution,
    NoticeRecord,
    NoticeStatus,
    PresetChanges,
    ScheduleRecord,
    WebhookState,
)
from backend.core.reviews import Answer, ReviewRecord, ReviewStatus
from backend.core.status import Status
from backend.ports.notices import Group
from backend.ports.retention import GraphOfUser, OldRun
from backend.ports.storage import JournalBatch
from backend.testing.storage import HOOK, PRESET, change

ANN: Final = UserId("ann")
RUN: Final = ExecutionId("run")
GRAPH: Final = GraphId("graph")
QUESTION: Final = NodeExecutionId("question")
#: Words of the plan that mean: all rows are looked at, or all that fit are put in order.
_COSTLY: Final = ("SCAN ", "TEMP B-TREE", "AUTOMATIC")
#: A row that is made up, or the rows of a statement that is inside, and judged there.
_FREE: Final = ("SCAN CONSTANT ROW", "SCAN (")
_PLANNED: Final = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement as it was run: with its parameters, for which SQLite plans."""

    sql: str
    parameters: Any


class Recorder:
    """Keeps the statements of a storage's two connections."""

    def __init__(self, storage: SqlStorage) -> None:
        self._storage = storage
        self.statements: list[Statement] = []

    async def start(self) -> None:
        """Listen from now on."""
        await self._storage.database.read(self._listen)
        await self._storage.database.write(self._listen)

    def _listen(self, connection: Connection) -> None:
        event.listen(connection, "before_cursor_execute", self._note)

    def _note(self, *arguments: Any) -> None:
        _, _, sql, parameters, _, many = arguments
        if sql.lstrip().upper().startswith(_PLANNED):
            self.statements.append(
                Statement(sql=sql, parameters=parameters[0] if many else parameters)
            )


def costly_steps(connection: sqlite3.Connection, statement: Statement) -> list[str]:
    """Return the steps of SQLite's plan that may grow with the whole history."""
    plan = connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.parameters)
    return [
        step[3]
        for step in plan
        if any(word in step[3] for word in _COSTLY) and not step[3].startswith(_FREE)
    ]


def schedule() -> ScheduleRecord:
    """Return a schedule of Ann's graph."""
    return ScheduleRecord(
        id=ScheduleId("s"),
        user_id=ANN,
        graph_id=GRAPH,
        graph_version=1,
        name="s",
        agent_name="a",
        cron="* * * * *",
        timezone="UTC",
        inputs={},
        credentials={},
        missed=MissedPolicy.LAST,
        next_us=10,
    )


def new_run(run_id: str = "run", parent: str | None = None) -> NewExecution:
    """Return a run of Ann's graph."""
    return NewExecution(
        id=ExecutionId(run_id),
        user_id=ANN,
        graph_id=GRAPH,
        graph_version=1,
        inputs={},
        parent_id=ExecutionId(parent) if parent else None,
        created_us=1,
    )


def question() -> ReviewRecord:
    """Return a question of Ann's run."""
    return ReviewRecord(
        node_exec_id=QUESTION,
        node_id=NodeId("n"),
        user_id=ANN,
        run_id=RUN,
        graph_id=GRAPH,
        graph_version=1,
        payload={},
        instructions=None,
        editable=True,
        status=ReviewStatus.WAITING,
        created_us=1,
    )


UNFINISHED: Final = replace(
    HOOK, id=WebhookId("unfinished"), state=WebhookState.REGISTERING, credentials_id="c"
)
Call = Callable[[SqlStorage], Awaitable[object]]


def _commit(status: Status) -> Call:
    notice = NoticeRecord(id="n", user_id=ANN, type="AGENT_RUN", data={}, created_us=1)
    batch = JournalBatch(
        owner="me",
        changes=[change(status=status, attempt=1, claim=status is Status.RUNNING)],
        new_runs=[new_run("child", parent="run")],
        questions=[question()],
        notices={RUN: notice},
        at_us=1,
    )
    return lambda s: s.commit(s.stage(batch))


def _graph(version: int = 1) -> Graph:
    return Graph(id=GRAPH, name="g", description="", version=version)


async def _retry(storage: SqlStorage) -> None:
    parked = "UPDATE executions SET status = 'TERMINATED', ended_us = 1, parked = '{}' WHERE id = ?"
    kept = '{"status": "QUEUED", "nodes": {"0": "QUEUED"}}'
    await storage.database.write(
        lambda connection: connection.exec_driver_sql(parked.replace("'{}'", f"'{kept}'"), (RUN,))
    )
    await storage.of(ANN).retry(GRAPH, RUN, now_us=1)


#: Calls by the method of the port that they are of, in an order in which each finds its rows.
USER_CALLS: Final[Mapping[str, Call]] = {
    "save_user": lambda s: s.of(ANN).save_user(email="a@b", name=None, now_us=1),
    "user": lambda s: s.of(ANN).user(),
    "set_timezone": lambda s: s.of(ANN).set_timezone("UTC", now_us=1),
    "add_graphs": lambda s: s.of(ANN).add_graphs([_graph()], now_us=1),
    "add_version": lambda s: s.of(ANN).add_version(_graph(), [], now_us=1),
    "graph": lambda s: s.of(ANN).graph(GRAPH),
    "active_version": lambda s: s.of(ANN).active_version(GRAPH),
    "graphs": lambda s: s.of(ANN).graphs(limit=250),
    "graph_versions": lambda s: s.of(ANN).graph_versions(GRAPH, limit=50),
    "set_active_version": lambda s: s.of(ANN).set_active_version(GRAPH, 1, now_us=1),
    "graph_settings": lambda s: s.of(ANN).graph_settings(GRAPH),
    "change_graph_settings": lambda s: s.of(ANN).change_graph_settings(GRAPH, {}, now_us=1),
    "add_schedule": lambda s: s.of(ANN).add_schedule(schedule()),
    "schedules": lambda s: s.of(ANN).schedules(),
}
PRESET_CALLS: Final[Mapping[str, Call]] = {
    "add_preset": lambda s: s.of(ANN).add_preset(PRESET),
    "preset": lambda s: s.of(ANN).preset(PRESET.id),
    "presets": lambda s: s.of(ANN).presets(None, page=3, page_size=10),
    "change_preset": lambda s: s.of(ANN).change_preset(PRESET.id, PresetChanges(), now_us=2),
    "webhook": lambda s: s.of(ANN).webhook(HOOK.id),
    "webhooks": lambda s: s.of(ANN).webhooks(limit=10),
    "webhooks_with": lambda s: s.of(ANN).webhooks_with(CredentialsId("c")),
    "add_webhook": lambda s: s.of(ANN).add_webhook(UNFINISHED),
    "registered_webhooks": lambda s: s.registered_webhooks(after=None, limit=10),
    "webhooks_due": lambda s: s.webhooks_due(now_us=9, limit=10),
    "put_off_webhook": lambda s: s.put_off_webhook(UNFINISHED.id, due_us=9),
    "forget_webhook": lambda s: s.forget_webhook(UNFINISHED.id),
    "webhook_at": lambda s: s.webhook_at(HOOK.id),
    "triggered_by": lambda s: s.triggered_by(HOOK.id),
    "delete_preset": lambda s: s.of(ANN).delete_preset(PRESET.id, now_us=3),
}
GROUP: Final = Group(user_id=ANN, type="AGENT_RUN")
NOTICE_CALLS: Final[Mapping[str, Call]] = {
    "due": lambda s: SqlNoticeQueue(s.database).due(now_us=9, limit=10),
    "put_in_letter": lambda s: SqlNoticeQueue(s.database).put_in_letter(
        "l", GROUP, due_us=9, limit=10
    ),
    "postpone": lambda s: SqlNoticeQueue(s.database).postpone(
        GROUP, due_us=9, next_us=10, limit=10
    ),
    "drop notices": lambda s: SqlNoticeQueue(s.database).drop(
        GROUP, due_us=9, because="why", limit=10
    ),
    "contents": lambda s: SqlNoticeQueue(s.database).contents("l", limit=10),
    "mark": lambda s: SqlNoticeQueue(s.database).mark(
        "l", status=NoticeStatus.SENT, at_us=1, limit=10
    ),
    "repeats": lambda s: SqlNoticeQueue(s.database).repeats(GROUP),
    "note_repeats": lambda s: SqlNoticeQueue(s.database).note_repeats(
        GROUP, {"c": Repeat(told=1, told_us=1)}, now_us=2
    ),
    "summary people": lambda s: SqlSummaryFacts(s.database).people(after=ANN, limit=10),
    "summary known": lambda s: SqlSummaryFacts(s.database).known(["a", "b"]),
    "summary totals": lambda s: SqlSummaryFacts(s.database).totals(
        ANN, start_us=1, end_us=9, agents=5
    ),
    "failed": lambda s: SqlNoticeQueue(s.database).failed(),
    "get notice": lambda s: SqlNoticeQueue(s.database).get("n"),
    "retry notice": lambda s: SqlNoticeQueue(s.database).retry("n", now_us=1, limit=10),
    "dismiss notice": lambda s: SqlNoticeQueue(s.database).dismiss("n", because="w", limit=10),
}
SYSTEM_CALLS: Final[Mapping[str, Call]] = {
    "submit": lambda s: s.submit(new_run()),
    "submit_alone": lambda s: s.submit_alone(new_run()),
    "user_exists": lambda s: s.user_exists(ANN),
    "users": lambda s: s.users([ANN]),
    "unfinished": lambda s: s.unfinished(
        limit=10, exclude=[ExecutionId("other")], full=[(UserId("bob"), GRAPH)]
    ),
    "hold": lambda s: s.hold(Hold(kind=HoldKind.SERVER)),
    "let_go": lambda s: s.let_go(HoldKind.SERVER, ""),
    "holds": lambda s: s.holds(),
    "unfinished of some executors": lambda s: s.unfinished(
        limit=10, exclude=[], takeable=["me", "gone"]
    ),
    "owners": lambda s: s.owners(),
    "settle_dead_calls of some executors": lambda s: s.settle_dead_calls(frozenset({"gone"})),
    "load_runs": lambda s: s.load_runs([RUN]),
    "stops_asked": lambda s: s.stops_asked(),
    "stuck_runs": lambda s: s.stuck_runs(before_us=9, limit=10),
    "commit": _commit(Status.RUNNING),
    "decisions": lambda s: s.decisions(RUN),
    "load_nodes": lambda s: s.load_nodes(RUN, {}),
    "graph_for_run": lambda s: s.graph_for_run(ANN, GRAPH, 1),
    "finished_run": lambda s: s.finished_run(RUN),
    "stop_paused": lambda s: s.stop_paused(RUN, now_us=1),
    "due_schedules": lambda s: s.due_schedules(now_us=99, limit=10),
    "next_fire": lambda s: s.next_fire(),
    "fire": lambda s: s.fire(schedule(), fire_us=10, next_us=20, run=new_run("fired")),
    "pause_schedule": lambda s: s.pause_schedule(schedule(), reason="why", now_us=1),
    "ping": lambda s: s.ping(),
    "runs_kept": lambda s: s.runs_kept([RUN]),
}
STEP: Final = StepPlace(
    user_id=ANN,
    graph_id=GRAPH,
    run_id=RUN,
    root_id=RUN,
    node_exec_id="node",
    owner="me",
    attempt=1,
)
PLANNED: Final = PlannedCall(
    model="m",
    most=Estimate(micro_usd=5, tokens=5),
    defaults=BudgetDefaults(run=9, user_day=9),
)
KNOWN: Final = Remembered(key="q", age_us=9)
STEP_CALLS: Final[Mapping[str, Call]] = {
    "begin_step": lambda s: s.begin_step(STEP, "k", repeatable=True, now_us=1, call=PLANNED),
    "finish_step": lambda s: s.finish_step(
        STEP, "k", result=1, now_us=2, call=CallMade(model="m", input_tokens=1)
    ),
    "begin_step that finds no room": lambda s: s.begin_step(
        STEP,
        "more",
        repeatable=True,
        now_us=3,
        call=replace(PLANNED, most=Estimate(micro_usd=99, tokens=5)),
    ),
    "begin_step that may take an answer": lambda s: s.begin_step(
        STEP, "known", repeatable=True, now_us=3, call=replace(PLANNED, cache=KNOWN)
    ),
    "finish_step that keeps its answer": lambda s: s.finish_step(
        STEP, "known", result=1, now_us=3, call=CallMade(model="m", cache=KNOWN)
    ),
    "begin_step that takes an answer": lambda s: s.begin_step(
        STEP, "again", repeatable=True, now_us=3, call=replace(PLANNED, cache=KNOWN)
    ),
    "give_up_call": lambda s: s.give_up_call(STEP, "k", is_known=True),
    "settle_dead_calls": lambda s: s.settle_dead_calls(),
    "free_budget_waits": lambda s: s.free_budget_waits(now_us=4),
}
LATER_CALLS: Final[Mapping[str, Call]] = {
    "execution": lambda s: s.of(ANN).execution(RUN, with_outputs=True),
    "execution_with_nodes": lambda s: s.of(ANN).execution_with_nodes(RUN, limit=1000),
    "executions": lambda s: s.of(ANN).executions(limit=250),
    "executions_page": lambda s: s.of(ANN).executions_page(GRAPH, page=3, page_size=25),
    "newest_executions": lambda s: s.of(ANN).newest_executions(GRAPH, limit=100),
    "node_executions": lambda s: s.of(ANN).node_executions(RUN, limit=50, after_revision=1),
    "waiting_reviews": lambda s: s.of(ANN).waiting_reviews(page=3, page_size=25),
    "reviews_of": lambda s: s.of(ANN).reviews_of(RUN),
    "wait": _commit(Status.REVIEW),
    "answer_reviews": lambda s: s.of(ANN).answer_reviews(
        [Answer(node_exec_id=QUESTION, approved=False)], now_us=1
    ),
    "ask_stop": lambda s: s.of(ANN).ask_stop(RUN, now_us=1),
    "end": _commit(Status.FAILED),
    "parked": lambda s: s.parked(limit=9),
    "retry": _retry,
    "schedule": lambda s: s.of(ANN).schedule(ScheduleId("s")),
    "change_schedule": lambda s: s.of(ANN).change_schedule(schedule()),
    "run_end": lambda s: s.run_end(ExecutionId("run")),
    "delete_schedule": lambda s: s.of(ANN).delete_schedule(ScheduleId("s")),
    "delete_execution": lambda s: s.of(ANN).delete_execution(RUN, now_us=1),
    "delete_graph": lambda s: s.of(ANN).delete_graph(GRAPH, now_us=1),
}
RETENTION_CALLS: Final[Mapping[str, Call]] = {
    "not_before_us": lambda s: SqlRetention(s.database).not_before_us(),
    "runs_ended_before": lambda s: SqlRetention(s.database).runs_ended_before(
        9, after=OldRun(1, RUN), limit=10
    ),
    "next_graph": lambda s: SqlRetention(s.database).next_graph(GraphOfUser(GRAPH, ANN)),
    "runs_beyond": lambda s: SqlRetention(s.database).runs_beyond(
        GraphOfUser(GRAPH, ANN), newest=1, limit=10
    ),
    "delete_runs": lambda s: SqlRetention(s.database).delete_runs([RUN]),
    "clear": lambda s: SqlRetention(s.database).clear(rows=100),
    "delete_notices": lambda s: SqlRetention(s.database).delete_notices(9, limit=10),
    "delete_fires": lambda s: SqlRetention(s.database).delete_fires(9, limit=10),
    "delete_answers": lambda s: SqlRetention(s.database).delete_answers(9, limit=10),
    "fold_usage": lambda s: SqlRetention(s.database).fold_usage("9999", limit=10),
    "delete_usage": lambda s: SqlRetention(s.database).delete_usage("9999", limit=10),
    "give_back": lambda s: SqlRetention(s.database).give_back(pages=10),
}
CALLS: Final[Mapping[str, Call]] = {
    **USER_CALLS,
    **NOTICE_CALLS,
    **PRESET_CALLS,
    **SYSTEM_CALLS,
    **STEP_CALLS,
    **LATER_CALLS,
    **RETENTION_CALLS,
}
