"""Tool servers that a test writes, and graphs of a model that calls what they offer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from backend.core.errors import NotFound
from backend.core.graph import Graph
from backend.core.json import JsonObject
from backend.ports.mcp import ServerTool, ToolOutcome, ToolServer
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, graph
from tests.unit.engine.engine_deciding import SEEN, decider

URL: Final = "https://tools.example.com/mcp"
CITY: Final[JsonObject] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
WEATHER: Final = ServerTool(name="weather", description="Tells the weather.", schema=CITY)
TIME: Final = ServerTool(name="time", description="Tells the time.", schema=CITY)


@dataclass
class Servers:
    """
    See backend.ports.mcp.ToolServers: one server, whatever the address.

    Attributes:
        offered: Its tools; change them as you like.
        says: What each call returns.
        visits: How often it was asked what it offers, without calls.
        calls: Those that were made, as (tool, arguments).
        on_call: Is done in each call, before it counts.
    """

    offered: list[ServerTool] = field(default_factory=lambda: [WEATHER, TIME])
    says: str = "fine"
    visits: int = 0
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    on_call: Callable[[], None] = lambda: None

    def change(self, name: str, description: str) -> None:
        """Let a tool say something else about itself from now on."""
        self.offered = [
            replace(one, description=description) if one.name == name else one
            for one in self.offered
        ]

    async def find(self, server: ToolServer, name: str) -> ServerTool:
        del server
        self.visits += 1
        return self._found(name)

    async def tools(self, server: ToolServer) -> Sequence[ServerTool]:
        del server
        self.visits += 1
        return list(self.offered)

    async def call(
        self, server: ToolServer, name: str, arguments: Mapping[str, Any], *, digest: str
    ) -> ToolOutcome:
        del server
        tool = self._found(name)
        if tool.digest() != digest:
            return ToolOutcome(tool=tool, was_called=False)
        self.on_call()
        self.calls.append((name, dict(arguments)))
        return ToolOutcome(tool=tool, content=({"type": "text", "text": self.says},))

    async def aclose(self) -> None:
        pass

    def _found(self, name: str) -> ServerTool:
        for tool in self.offered:
            if tool.name == name:
                return tool
        raise NotFound(f"the tool server has no tool {name!r}")


def serving(
    links: str = "model.tools -> mcp.tool_arguments",
    *,
    mcp: Mapping[str, Any] | None = None,
    **defaults: Any,
) -> Graph:
    """Return a graph of a model with an MCPTool node, and one that does harm and is no tool."""
    return graph(
        "serving",
        {
            "in": INPUT,
            "model": decider(**{"agent_mode_max_iterations": 5, **defaults}),
            "mcp": ("MCPToolBlock", {"server_url": URL, **(mcp or {})}),
            "danger": ("OnceBlock", {}),
            "out": OUTPUT,
            "seen": SEEN,
        },
        f"""
        in.result -> model.prompt_values_#_x
        {links}
        mcp.never -> danger.value
        mcp.result -> seen.value
        model.finished -> out.value
        """,
    )
