"""Other nodes of its graph that a block may call: only those to which its pin ``tools`` is linked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionBounds:
    """
    How far a model goes on its own in one node execution, whatever the node says.

    Attributes:
        rounds: Of a question and the calls that answer it.
        calls: Of tools.
        tokens: Of all questions and answers together.
        time_s: Since the execution began, crashes in between; 0: any.
    """

    rounds: int = 200
    calls: int = 1_000
    tokens: int = 5_000_000
    time_s: float = 86_400.0


USUAL_BOUNDS: Final = DecisionBounds()


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolPin:
    """
    A pin of a tool that its caller may fill.

    Attributes:
        name: As the link has it, with its dynamic path if any; `base` without.
        schema: JSON schema of the base pin.
        required: Whether the tool cannot run without it.
        default: What it has if nobody fills it.
    """

    name: str
    base: str
    schema: Mapping[str, Any]
    required: bool = False
    default: Any = None

    @property
    def is_part(self) -> bool:
        """Whether it is a part of its base pin, and not all of it."""
        return self.name != self.base


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolNode:
    """
    A node that may be called.

    Attributes:
        name: What people call it: its own name, else its agent's, else its block's.
        own: The values that its author gave it, or who started the run; nothing of it is for a
            model's eyes.
        linked: Pins that links from elsewhere fill.
    """

    node_id: str
    name: str
    description: str
    block_id: str
    is_agent: bool = False
    pins: tuple[ToolPin, ...] = ()
    own: Mapping[str, Any] = field(default_factory=dict, repr=False)
    linked: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolResult:
    """What came of a call: outputs as (pin, value) by arrival, and what it failed with, or None."""

    outputs: tuple[tuple[str, Any], ...] = ()
    error: str | None = None


class Tools(Protocol):
    """The nodes that one node execution may call."""

    def listed(self) -> Sequence[ToolNode]:
        """Return them, in the order of the links; a node that this run leaves out is not there."""

    async def call(self, key: str, node_id: str, inputs: Mapping[str, Any]) -> ToolResult:
        """
        Run a node and return what came of it, once that is on disk.

        It is an execution like any other: with a row, a price, a time limit, with people who are
        asked, and with outputs that also go over the node's own links. Where it asks people, this
        block is ended, and run again when they have decided. Run again after that or after a crash,
        the same call finds its execution: what is done is not done twice.

        Args:
            key: Names the call within this node execution, the same whenever the block comes here.
            inputs: By the names of the node's `pins`; others are left out.

        Raises:
            BadRequest: If it is none of the listed nodes, or this block must not be repeated.
            NotJson, TooLarge: If the inputs cannot be kept.
        """
