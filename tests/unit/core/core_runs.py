"""Drives a run of the core in any order, with crashes, beside the model of core_model.py."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from core_cases import CATALOG, Case, calls_of, outcome
from core_model import Model, Row

from backend.core import json
from backend.core.execution import Execution, NodeExecution
from backend.core.ids import ExecutionId, IdSeries, UserId, tool_call_id
from backend.core.plan import GraphPlan
from backend.core.restore import restore
from backend.core.status import FINAL, Status
from backend.core.step import (
    CancelNode,
    Effect,
    Event,
    NodeCancelled,
    NodeEnded,
    NodePaused,
    NodeRetried,
    NodeStarted,
    NodeYielded,
    RunEnded,
    RunPaused,
    RunStarted,
    StartNode,
    StopAsked,
    ToolCalled,
    ToolEnded,
    step,
)

RUN_ID = ExecutionId("run")


def row_of(execution: NodeExecution) -> dict[str, Any]:
    """Return the row of *execution*, as a journal would keep it."""
    row: dict[str, Any] = {
        "ordinal": execution.ordinal,
        "id": execution.id,
        "node_id": execution.node.id,
        "status": execution.status.value,
        "received": execution.received if execution.input is None else None,
        "input": execution.input,
        "outputs": [list(output) for output in execution.outputs],
        "routed": execution.routed,
        "queue_no": execution.queue_no,
        "add_us": execution.add_us,
        "queue_us": execution.queue_us,
        "start_us": execution.start_us,
        "end_us": execution.end_us,
        "error": execution.error,
        "revision": execution.revision,
    }
    loaded: dict[str, Any] = json.loads(json.dumps(row))
    return loaded


def from_row(row: dict[str, Any], plan: GraphPlan) -> NodeExecution:
    """Return the execution that *row* was made of."""
    made = NodeExecution(row["ordinal"], row["id"], plan.nodes_by_id[row["node_id"]], row["add_us"])
    made.status = Status(row["status"])
    made.received = row["received"] or {}
    made.input = row["input"]
    made.outputs = [(name, value) for name, value in row["outputs"]]
    for name in ("routed", "queue_no", "queue_us", "start_us", "end_us", "error", "revision"):
        setattr(made, name, row[name])
    return made


@dataclass
class Work:
    """A node that runs: what it still has to call and to yield, and how it ends."""

    execution: NodeExecution
    outputs: list[tuple[str, Any]]
    error: str | None
    calls: list[ToolCalled]
    started: bool = False
    cancelled: bool = False
    asks: bool = False
    tries: int = 0  #: that have failed
    waits_for: set[str] = field(default_factory=set)
    asks_again: bool = False  #: a crash or a failed try came between it and its calls


class Driver:
    """
    A worker, a journal and the crashes of both.

    *choose* takes a number and returns one below it: it makes every decision.
    """

    def __init__(self, case: Case, choose: Callable[[int], int]) -> None:
        self.case, self.choose = case, choose
        self.plan = GraphPlan(case.graph, CATALOG)
        self.model = Model(
            graph=case.graph,
            masks=case.masks,
            skipped=case.skipped,
            parallel=case.parallel,
            limit=case.limit,
        )
        self.run = self._new_run()
        self.now_us = 1
        self.work: list[Work] = []
        self.known: dict[int, NodeExecution] = {}
        self.ended: Status | None = None
        self.paused = False
        self.decided: set[str] = set()
        self.rows: dict[int, dict[str, Any]] = {}
        self.run_row: dict[str, Any] = {}
        self.saved_model = copy.deepcopy(self.model)
        self.most_at_once = 0

    def _new_run(self) -> Execution:
        return Execution(
            id=RUN_ID,
            user_id=UserId("me"),
            plan=self.plan,
            inputs={},
            masks=self.case.masks,
            skipped=self.case.skipped,
            parallel=self.case.parallel,
            max_executions=self.case.limit,
        )

    def start(self) -> None:
        self.model.start()
        self.send(RunStarted(at_us=self.tick()))
        self.commit()

    def finish(self) -> None:
        """Let everything run, in an order that is chosen, until nothing is left."""
        while self.ended is None:
            self.advance()
        self.commit()

    def advance(self) -> None:
        """Let one of the running nodes do one thing, or a person decide what all wait for."""
        if self.paused:
            self.decide()
            return
        able = [work for work in self.work if not work.waits_for or work.calls or work.cancelled]
        work = able[self.choose(len(able))]
        ordinal = work.execution.ordinal
        if work.cancelled and self.choose(2):
            self.end(work, cancelled=True)
        elif not work.started:
            work.started = True
            self.model.started(ordinal)
            self.send(NodeStarted(ordinal=ordinal, at_us=self.tick()))
        elif work.asks:
            self.work.remove(work)
            self.model.asked(ordinal)
            self.send(NodePaused(ordinal=ordinal, at_us=self.tick()))
        elif work.tries < 2 and self.choose(8) == 0:
            # A try fails and there is another: to the run it is all one.
            work.tries += 1
            work.calls = calls_of(self.case, work.execution)
            work.asks_again = True
            work.waits_for.clear()
            self.model.retried(ordinal)
            self.send(NodeRetried(ordinal=ordinal, error="away", at_us=self.tick()))
        elif work.calls:
            self.call(work, work.calls.pop(0))
        elif work.outputs:
            name, value = work.outputs.pop(0)
            self.model.yielded(ordinal, name, value)
            self.send(NodeYielded(ordinal=ordinal, name=name, value=value, at_us=self.tick()))
        else:
            self.end(work, cancelled=False)

    def call(self, work: Work, call: ToolCalled) -> None:
        work.waits_for.add(tool_call_id(work.execution.id, call.key))
        self.model.called(call.ordinal, call.key, call.node, dict(call.inputs))
        self.send(replace(call, at_us=self.tick()))

    def end(self, work: Work, *, cancelled: bool) -> None:
        self.work.remove(work)
        ordinal = work.execution.ordinal
        if cancelled:
            self.model.cancelled(ordinal)
            self.send(NodeCancelled(ordinal=ordinal, at_us=self.tick()))
        else:
            self.model.ended(ordinal, work.error)
            self.send(NodeEnded(ordinal=ordinal, error=work.error, at_us=self.tick()))

    def decide(self) -> None:
        """Let a person decide all that is open; the run is put together again and goes on."""
        self.commit()
        paused = [row for row in self.rows.values() if row["status"] == "REVIEW"]
        assert paused
        assert not self.run.ready
        self.decided |= {row["id"] for row in paused}
        self.run_row["status"] = Status.QUEUED
        self.take_up()

    def stop(self) -> None:
        self.model.stop()
        self.send(StopAsked(at_us=self.tick()))

    def send(self, event: Event) -> None:
        self.run, effects = step(self.run, event)
        for effect in effects:
            self.obey(effect)
        # Who waits for tools lends its place; so does who will soon ask for them again.
        at_work = [
            one for one in self.work if not (one.waits_for or (one.asks_again and one.calls))
        ]
        self.most_at_once = max(self.most_at_once, len(at_work))

    def obey(self, effect: Effect) -> None:
        match effect:
            case StartNode(execution):
                row = self.rows.get(execution.ordinal)
                assert row is None or Status(row["status"]) not in FINAL, "redone"
                self.begin(execution)
            case CancelNode(execution):
                self.cancel(execution)
            case RunEnded(status):
                assert not self.work
                self.ended = status
            case ToolEnded(execution):
                assert execution.status in FINAL
                for work in self.work:
                    work.waits_for.discard(execution.id)
            case RunPaused():
                assert all(work.waits_for for work in self.work)
                self.work = []
                self.paused = True

    def cancel(self, execution: NodeExecution) -> None:
        found = [work for work in self.work if work.execution is execution]
        for work in found:
            work.cancelled = True
        if not found:  # the run waits for people, and this one for a tool that does
            self.model.cancelled(execution.ordinal)
            self.send(NodeCancelled(ordinal=execution.ordinal, at_us=self.tick()))

    def begin(self, execution: NodeExecution, *, asks_again: bool = False) -> None:
        """Run a node, from where it was: what it has yielded already is not yielded again."""
        outputs, error = outcome(self.case, execution)
        done = len(execution.outputs)
        assert execution.outputs == outputs[:done]
        started = execution.status is Status.RUNNING
        every = self.case.behaviours[execution.node.id].asks
        asks = every > 0 and execution.ordinal % every == 0 and execution.id not in self.decided
        calls = calls_of(self.case, execution)
        work = Work(execution, outputs[done:], error, calls, started=started, asks=asks)
        work.asks_again = asks_again
        self.work.append(work)

    def commit(self) -> None:
        """Save what changed, and see that nothing was forgotten."""
        before = self.run.revision
        changes = self.run.take_changes()
        revisions = [before, *(change.revision for change in changes)]
        assert revisions == sorted(set(revisions))
        # Where nothing has changed there is nothing to number.
        assert self.run.revision >= revisions[-1] + bool(changes)
        for change in changes:
            self.known[change.ordinal] = change
            self.rows[change.ordinal] = row_of(change)
        assert len(self.rows) == self.run.next_ordinal
        for ordinal, execution in self.known.items():
            assert self.rows[ordinal] == row_of(execution), "a change was not told"
        self.run_row = {
            "status": self.run.status,
            "started_us": self.run.started_us,
            "ended_us": self.run.ended_us,
            "revision": self.run.revision,
            "stats": copy.copy(self.run.stats),
        }
        self.saved_model = copy.deepcopy(self.model)

    def crash(self) -> None:
        """Lose all that was not committed; a run that waits stays where it is, others go on."""
        if self.run_row["status"] is not Status.REVIEW:
            self.take_up()

    def take_up(self) -> None:
        """Put the run together from what was committed, and go on."""
        self.paused = False
        ids = {ordinal: row["id"] for ordinal, row in self.rows.items()}
        self.model = copy.deepcopy(self.saved_model)
        self.model.crash()
        self.model.decided([o for o, id_ in ids.items() if id_ in self.decided])
        self.run = self._new_run()
        for name, value in self.run_row.items():
            setattr(self.run, name, copy.copy(value))
        self.known = {
            ordinal: from_row(copy.deepcopy(row), self.plan) for ordinal, row in self.rows.items()
        }
        self.work = []
        for execution in restore(self.run, self.known.values(), decided=self.decided):
            self.begin(execution, asks_again=True)
        assert {ordinal: each.id for ordinal, each in self.known.items()} == ids
        self.model.follow_up()
        self.send(RunStarted(at_us=self.tick()))

    def tick(self) -> int:
        self.now_us += 1
        return self.now_us

    def compare(self) -> None:
        """The rows are what the model says they must be."""
        assert [seen(self.rows[ordinal]) for ordinal in sorted(self.rows)] == [
            expected(row) for row in self.model.rows
        ]
        assert self.run.status.value == self.model.status
        assert self.run.outputs == self.model.outputs()
        for ordinal, row in self.rows.items():
            call = self.model.rows[ordinal].call
            ids = IdSeries(RUN_ID)
            expected_id = ids[ordinal] if call is None else self.called_id(*call)
            assert row["id"] == expected_id

    def called_id(self, caller: int, key: str) -> str:
        return tool_call_id(self.rows[caller]["id"], key)

    def by_node(self) -> dict[str, list[Any]]:
        """What each node did, in the order of its line; what waits last."""
        found: dict[str, list[Any]] = {}
        last = len(self.rows) + 1
        for row in sorted(
            self.rows.values(),
            key=lambda row: (last if row["queue_no"] is None else row["queue_no"], row["ordinal"]),
        ):
            fields = ("status", "input", "received", "outputs")
            found.setdefault(row["node_id"], []).append([row[name] for name in fields])
        return found


def seen(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "node": row["node_id"],
        "status": row["status"],
        "received": plain(row["received"]) if row["input"] is None else None,
        "input": plain(row["input"]),
        "outputs": [(name, plain(value)) for name, value in row["outputs"]],
        "routed": row["routed"],
    }


def plain(value: Any) -> Any:
    """Return *value* with the core's own words for a refusal replaced by the model's."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, str) and value.startswith("Input data missing or mismatch"):
        return "refused"
    return value


def expected(row: Row) -> dict[str, Any]:
    return {
        "node": row.node,
        "status": row.status,
        "received": row.received if row.input is None else None,
        "input": row.input,
        "outputs": row.outputs,
        "routed": row.routed,
    }
