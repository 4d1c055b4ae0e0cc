"""Which tools an MCPTool node is to a model: the one that it names, else all that are kept.

What a model reads of a tool is what is kept of it, so that a server that changes its words has
changed nothing before a person has read them: see approval.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.blocks.mcp.approval import is_read_whole, keep, kept, note_read_whole
from backend.blocks.mcp.call_tool import MCPToolBlock
from backend.blocks.mcp.servers import address_of, server_of
from backend.sdk import BlockContext, Effect, JsonObject, ToolNode


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A tool, by the name that its server has for it. *schema* is that of its arguments."""

    name: str
    description: str
    schema: JsonObject


def is_server(node: ToolNode) -> bool:
    """Say whether *node* is an MCPTool whose server is fixed, so that its tools can be known."""
    filled = {*(pin.name for pin in node.pins), *node.linked}
    if node.block_id != MCPToolBlock.id or not _text(node.own, "server_url"):
        return False
    return "server_url" not in filled and MCPToolBlock.tool_choice not in node.linked


def chosen(node: ToolNode) -> str:
    """Return the name of the one tool that *node* is; empty: it is all of its server's."""
    return _text(node.own, MCPToolBlock.tool_choice)


async def offers(node: ToolNode, context: BlockContext, step: str) -> list[Offer]:
    """
    Return the tools that *node* is.

    What is not kept yet is kept now: the tool that it names, or, the first time, all of its
    server's. What a server has added since then is offered when somebody has named it.

    Args:
        node: One that `is_server`.
        context: Of whoever asks.
        step: Names the place, for `BlockContext.once`.

    Raises:
        BadRequest, NotFound, WebFailed, NotConfigured: If the server is none that can be asked.
    """
    url, name = address_of(_text(node.own, "server_url")), chosen(node)

    async def look(_: str) -> list[list[Any]]:
        if not name:
            return await _all(node, url, context)
        facts = await kept(context, url, name)
        if facts is None:
            server = await server_of(url, node.own.get("credentials"), context)
            facts = await keep(context, url, await context.mcp_servers().find(server, name))
        return [[name, facts]]

    found = await context.once(step, look, effect=Effect.IDEMPOTENT)
    return [_offer(each, facts) for each, facts in found]


async def _all(node: ToolNode, url: str, context: BlockContext) -> list[list[Any]]:
    server = await server_of(url, node.own.get("credentials"), context)
    known = await is_read_whole(context, url)
    found: list[list[Any]] = []
    for tool in await context.mcp_servers().tools(server):
        facts = await kept(context, url, tool.name)
        if facts is None and not known:
            facts = await keep(context, url, tool)
        if facts is not None:
            found.append([tool.name, facts])
    if not known:
        # Last: what is not kept when the server is killed here is kept the next time.
        await note_read_whole(context, url)
    return found


def _offer(name: str, facts: Mapping[str, Any]) -> Offer:
    return Offer(
        name=name,
        description=str(facts.get("description") or facts.get("title") or ""),
        schema=dict(facts.get("arguments") or {}),
    )


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value.strip() if isinstance(value, str) else ""
