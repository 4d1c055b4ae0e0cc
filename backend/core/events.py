"""What may happen in a run, and what may have to be done about it: the words of core/step.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from backend.core.execution import NodeExecution
from backend.core.node_steps import NO_USE, ModelUse
from backend.core.status import Status


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStarted:
    """The run's owner begins it."""

    at_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeStarted:
    """A node runs now."""

    ordinal: int
    at_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeYielded:
    """A node produced a value."""

    ordinal: int
    name: str
    value: Any
    at_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeEnded:
    """A node came to its end; *error* is None, or what it failed with."""

    ordinal: int
    at_us: int
    error: str | None = None
    cpu_s: float = 0.0
    cost: int = 0
    extra_steps: int = 0
    models: ModelUse = NO_USE


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeCancelled:
    """A node was cancelled and has cleaned up; *error* says so if it would not."""

    ordinal: int
    at_us: int
    error: str | None = None
    models: ModelUse = NO_USE


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeRetried:
    """A try of a node has failed with *error*, and there will be another."""

    ordinal: int
    error: str
    at_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NodePaused:
    """A node waits for a person's decision, and has produced nothing yet."""

    ordinal: int
    at_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCalled:
    """
    A node that runs calls another of its graph, and waits for its end.

    Attributes:
        key: Names the call: the same caller with the same key means the same call.
        inputs: By the sink names of the links through which the caller may call *node*.
    """

    ordinal: int
    key: str
    node: str
    inputs: Mapping[str, Any]
    at_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolLeft:
    """A node waits no more for a call, which goes on."""

    ordinal: int
    key: str
    at_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StopAsked:
    """Somebody who may asks to stop the run."""

    at_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunBroken:
    """The run cannot go on: *error* says why."""

    error: str
    at_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunParked:
    """The run is not tried again until somebody says so: *error* says why."""

    error: str
    at_us: int


Event: TypeAlias = (
    RunStarted
    | NodeStarted
    | NodeYielded
    | NodeEnded
    | NodeCancelled
    | NodeRetried
    | NodePaused
    | ToolCalled
    | ToolLeft
    | StopAsked
    | RunBroken
    | RunParked
)


@dataclass(frozen=True, slots=True)
class StartNode:
    """Run the block of this node execution."""

    execution: NodeExecution


@dataclass(frozen=True, slots=True)
class CancelNode:
    """Cancel this node execution; report NodeCancelled when it has cleaned up."""

    execution: NodeExecution


@dataclass(frozen=True, slots=True)
class ToolEnded:
    """Tell the caller of this execution that it has ended."""

    execution: NodeExecution


@dataclass(frozen=True, slots=True)
class RunEnded:
    """Nothing more will happen in this run."""

    status: Status


@dataclass(frozen=True, slots=True)
class RunPaused:
    """
    Nothing more will happen in this run until somebody has decided.

    Executions that wait for tools which wait for people are let go: they run again then.
    """


Effect: TypeAlias = StartNode | CancelNode | ToolEnded | RunEnded | RunPaused
