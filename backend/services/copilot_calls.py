"""One call of a tool of the copilot, and what does it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from backend.core.alone import HIDDEN
from backend.core.errors import BadRequest, NotFound
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.json import JsonObject


@dataclass(frozen=True, kw_only=True)
class ToolCalled:
    """
    One call.

    Attributes:
        run_id: The turn.
        key: The same for each try of it, and of no other call.
    """

    user_id: UserId
    run_id: ExecutionId
    chat_id: str
    key: str
    arguments: Mapping[str, Any]

    def text(self, name: str) -> str:
        """Return an argument that is a text; empty if it is not there."""
        return str(self.arguments.get(name) or "").strip()

    def number(self, name: str, default: int, most: int) -> int:
        """Return an argument that is a number, from 0 to *most*."""
        value = self.arguments.get(name)
        return max(0, min(int(value), most)) if isinstance(value, int) else default

    @property
    def graph_id(self) -> GraphId:
        """Return the agent that is named. Raises NotFound for those that nobody sees."""
        graph_id = GraphId(self.text("graph_id"))
        if graph_id in HIDDEN:
            raise NotFound(f"Graph #{graph_id} not found.")
        return graph_id

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Return what an agent or a block is given."""
        inputs = self.arguments.get("inputs") or {}
        if not isinstance(inputs, Mapping):
            raise BadRequest("inputs: an object is needed")
        return inputs


Does: TypeAlias = Callable[[ToolCalled], Awaitable[JsonObject]]
