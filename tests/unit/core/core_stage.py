"""A run on a stage: every step is taken by hand, and every row is seen."""

from collections.abc import Sequence
from typing import Any

from core_samples import CATALOG, graph

from backend.core.execution import Execution, NodeExecution
from backend.core.graph import Graph, Link, Node
from backend.core.ids import ExecutionId, UserId
from backend.core.plan import GraphPlan
from backend.core.status import Status
from backend.core.step import (
    CancelNode,
    Event,
    NodeEnded,
    NodeStarted,
    NodeYielded,
    RunEnded,
    RunStarted,
    StartNode,
    step,
)

Outputs = Sequence[tuple[str, Any]]


class Run:
    """
    A run whose nodes do what a small stand-in of their block does, oldest first.

    Attributes:
        rows: All node executions, by ordinal.
        most: The largest number of nodes that ran at once.
    """

    def __init__(self, *parts: Node | Link | str | Graph, **more: Any) -> None:
        self.inputs: dict[str, Any] = more.pop("inputs", {})
        self.yields: dict[str, Outputs] = more.pop("yields", {})
        self.fails: dict[str, str] = more.pop("fails", {})
        self.state = Execution(
            id=ExecutionId("run"),
            user_id=UserId("me"),
            plan=GraphPlan(graph(*parts), CATALOG),
            inputs=self.inputs,
            **more,
        )
        self.rows: dict[int, NodeExecution] = {}
        self.working: list[NodeExecution] = []
        self.cancelled: list[NodeExecution] = []
        self.ended: Status | None = None
        self.most = 0
        self.now_us = 0

    def send(self, event: Event) -> "Run":
        self.state, effects = step(self.state, event)
        for effect in effects:
            match effect:
                case StartNode(execution):
                    self.working.append(execution)
                case CancelNode(execution):
                    self.cancelled.append(execution)
                case RunEnded(status):
                    self.ended = status
        self.most = max(self.most, len(self.working))
        for execution in self.state.take_changes():
            self.rows[execution.ordinal] = execution
        return self

    def start(self) -> "Run":
        return self.send(RunStarted(at_us=self.tick()))

    def finish(self) -> "Run":
        """Let all nodes do their work, one after the other."""
        if self.state.status is Status.QUEUED:
            self.start()
        while self.working:
            self.work(self.working[0])
        return self

    def work(self, execution: NodeExecution) -> None:
        """Let one node do all of its work."""
        ordinal = execution.ordinal
        self.send(NodeStarted(ordinal=ordinal, at_us=self.tick()))
        for name, value in self.outcome(execution):
            self.send(NodeYielded(ordinal=ordinal, name=name, value=value, at_us=self.tick()))
        self.working.remove(execution)
        error = self.fails.get(execution.node.id)
        self.send(NodeEnded(ordinal=ordinal, error=error, at_us=self.tick()))

    def outcome(self, execution: NodeExecution) -> Outputs:
        inputs = execution.input or {}
        if execution.node.id in self.yields:
            return self.yields[execution.node.id]
        match execution.node.block.name:
            case "AgentInput":
                return [("result", inputs["value"])]
            case "FillTextTemplate":
                held = inputs["values"]
                return [("output", f"{held['a']}, {held['b']}{held.get('c')}")]
            case "StoreValue":
                return [("output", inputs.get("data") or inputs["input"])]
            case "Calculator":
                return [("result", inputs["a"] + inputs["b"])]
            case "AgentOutput":
                return [("output", inputs.get("value"))]
        return []

    def of(self, node_id: str) -> list[NodeExecution]:
        return [row for _, row in sorted(self.rows.items()) if row.node.id == node_id]

    def inputs_of(self, node_id: str) -> list[Any]:
        return [row.input for row in self.of(node_id) if row.status is not Status.INCOMPLETE]

    def statuses(self) -> list[str]:
        return [row.status.value for _, row in sorted(self.rows.items())]

    def tick(self) -> int:
        self.now_us += 1_000_000
        return self.now_us
