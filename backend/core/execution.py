"""The state of one run. Changed only by core/step.py; saved as rows by the engine's journal."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, TypeAlias

from backend.core.ids import ExecutionId, IdSeries, UserId
from backend.core.node_steps import NO_USE, ModelUse
from backend.core.plan import GraphPlan, Inputs, NodePlan
from backend.core.policy import OnError
from backend.core.status import Status, advance

#: Outputs by arrival: (pin, value).
Output: TypeAlias = tuple[str, Any]
_USED: Final = frozenset(each.name for each in fields(ModelUse))


@dataclass(kw_only=True, slots=True)
class RunStats:
    """What a run used. Times in seconds, cost in credits (1 credit = 1 US cent)."""

    cost: int = 0
    duration_s: float = 0.0
    cpu_s: float = 0.0
    node_time_s: float = 0.0
    node_cpu_s: float = 0.0
    node_count: int = 0
    node_error_count: int = 0
    error: str | None = None
    models: ModelUse = NO_USE

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "RunStats":
        """Return what *values*, by the names of the fields, say."""
        models = values.get("models")
        if isinstance(models, Mapping):
            known = {name: value for name, value in models.items() if name in _USED}
            values = {**values, "models": ModelUse(**known)}
        # A newer program may have written more.
        return cls(**{name: value for name, value in values.items() if name in _STATS})


_STATS: Final = frozenset(each.name for each in fields(RunStats))


class NodeExecution:
    """One execution of one node."""

    __slots__ = (
        "add_us",
        "changed",
        "cpu_s",
        "end_us",
        "error",
        "id",
        "input",
        "node",
        "ordinal",
        "outputs",
        "queue_no",
        "queue_us",
        "received",
        "revision",
        "routed",
        "saved_outputs",
        "start_us",
        "status",
        "tries",
    )

    def __init__(self, ordinal: int, id_: str, node: NodePlan, at_us: int) -> None:
        self.ordinal = ordinal  #: its number in the run, by creation
        self.id = id_
        self.node = node
        self.status = Status.INCOMPLETE
        self.received: Inputs = {}  #: values that arrived so far, by pin
        self.input: Inputs | None = None  #: the whole input, from QUEUED on
        self.outputs: list[Output] = []
        self.routed = 0  #: how many of the outputs have reached their sinks
        self.saved_outputs = 0  #: how many of the outputs are in rows of their own
        self.add_us = at_us
        self.queue_us: int | None = None
        #: Its place among all that were queued, or refused without that, in the run.
        self.queue_no: int | None = None
        self.start_us: int | None = None
        self.end_us: int | None = None
        self.cpu_s = 0.0
        self.error: str | None = None
        self.tries = 0  #: how many have failed
        self.revision = 0
        self.changed = True

    def advance(self, status: Status) -> None:
        """Go to *status*; raises IllegalTransition when it cannot follow."""
        self.status = advance(self.status, status)
        self.changed = True


@dataclass(kw_only=True, slots=True)
class NodeState:
    """What a run remembers about one node, beside its executions."""

    #: INCOMPLETE executions that lack a pin, oldest first, by pin. May hold ones that have left.
    lacking: dict[str, deque[NodeExecution]] = field(default_factory=dict)
    #: INCOMPLETE executions by ordinal, oldest first.
    waiting: dict[int, NodeExecution] = field(default_factory=dict)
    #: Executions that are queued, or run, or whose outputs are not all routed; oldest first.
    #: Outputs of one node are routed in this order, whatever order they are produced in.
    in_flight: deque[NodeExecution] = field(default_factory=deque)
    #: The input of the newest queued execution: static pins take their values from it.
    latest_input: Inputs | None = None
    #: Those that work, and those that wait for them: kept where the node has a limit of its own.
    at_work: int = 0
    held: deque[NodeExecution] = field(default_factory=deque)

    def wait(self, slot: NodeExecution) -> None:
        """Add *slot*, which is INCOMPLETE and newer than all that wait."""
        self.waiting[slot.ordinal] = slot
        for pin in slot.node.linked:
            if pin in slot.received:
                continue
            lacking = self.lacking.setdefault(pin, deque())
            # Those that left in the meantime must not pile up.
            while lacking and lacking[0].ordinal not in self.waiting:
                lacking.popleft()
            lacking.append(slot)


@dataclass(kw_only=True, slots=True)
class ToolCalls:
    """The executions of a run that others of it have called."""

    by_id: dict[str, NodeExecution] = field(default_factory=dict)
    caller_of: dict[str, int] = field(default_factory=dict)  #: by id; of a crash's until it asks
    #: By caller, all that it has called, and those of them for which it waits (never empty).
    made: dict[int, list[str]] = field(default_factory=dict)
    awaited: dict[int, set[str]] = field(default_factory=dict)
    ended: deque[NodeExecution] = field(default_factory=deque)  #: their callers are to be told


@dataclass(kw_only=True, slots=True)
class Execution:
    """
    One run.

    Owned by one loop at a time. `core.step.step` changes it in place and returns it: a copy of a
    run of 10,000 node executions at each step would make every run quadratic.
    """

    id: ExecutionId
    user_id: UserId
    plan: GraphPlan
    inputs: Mapping[str, Any]
    masks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    skipped: frozenset[str] = frozenset()
    parallel: int = 100  #: nodes that may run at once
    max_executions: int = 1_000_000  #: node executions in one run; more fail it

    status: Status = Status.QUEUED
    stop_as: Status | None = None  #: the status to end with, once a stop was asked for
    revision: int = 0
    created_us: int = 0
    started_us: int | None = None
    ended_us: int | None = None
    phase_us: int | None = None  #: since when it moves; None while it waits
    stats: RunStats = field(default_factory=RunStats)
    outputs: dict[str, list[Any]] = field(default_factory=dict)
    changed: bool = True

    next_ordinal: int = 0
    next_queue_no: int = 0
    nodes: dict[int, NodeState] = field(default_factory=dict)
    live: dict[int, NodeExecution] = field(default_factory=dict)  #: not ended, or not routed
    ready: deque[NodeExecution] = field(default_factory=deque)
    running: dict[int, NodeExecution] = field(default_factory=dict)
    refused: deque[tuple[NodeExecution, str]] = field(default_factory=deque)
    broken: str | None = None  #: why it must fail: a node did, whose policy says so
    paused: dict[int, NodeExecution] = field(default_factory=dict)  #: wait for a person
    parked: Mapping[int, Status] | None = None  #: what was open, by ordinal, when it was parked
    touched: dict[int, NodeExecution] = field(default_factory=dict)  #: changed since last saved
    calls: ToolCalls = field(default_factory=ToolCalls)
    node_ids: IdSeries = field(init=False)

    def __post_init__(self) -> None:
        self.node_ids = IdSeries(self.id)

    def state_of(self, node: NodePlan) -> NodeState:
        """Return what the run remembers about *node*."""
        state = self.nodes.get(node.index)
        if state is None:
            state = self.nodes[node.index] = NodeState()
        return state

    @property
    def has_room(self) -> bool:
        """Whether one more may work. Who waits for a tool lends its place to it: no deadlock."""
        return len(self.running) - len(self.calls.awaited) < self.parallel

    def new_node_execution(
        self, node: NodePlan, at_us: int, id_: str | None = None
    ) -> NodeExecution:
        """Add an execution of *node*, INCOMPLETE, with the next ordinal and the id of that, or *id_*."""
        ordinal = self.next_ordinal
        self.next_ordinal += 1
        made = NodeExecution(ordinal, id_ or self.node_ids[ordinal], node, at_us)
        self.live[ordinal] = made
        self.touch(made)
        return made

    def note_failure(self, failed: NodeExecution) -> None:
        """Note that *failed* has: where its policy says so, the run fails with it."""
        if failed.node.policy.on_error is OnError.FAIL and self.broken is None:
            self.broken = f"node {failed.node.title} (#{failed.node.id}) failed: {failed.error}"

    def touch(self, execution: NodeExecution) -> None:
        """Note that *execution* differs from its row."""
        execution.changed = True
        self.touched[execution.ordinal] = execution

    def take_changes(self) -> list[NodeExecution]:
        """
        Return the node executions that differ from their rows, in order, and forget them.

        Gives each, and then the run itself, the next revision; where nothing has changed, the
        revision stays. The caller saves all of them in one transaction.
        """
        changes = [self.touched[ordinal] for ordinal in sorted(self.touched)]
        self.touched.clear()
        for execution in changes:
            self.revision += 1
            execution.revision = self.revision
            execution.changed = False
        if changes or self.changed:
            self.revision += 1
        self.changed = False
        return changes
