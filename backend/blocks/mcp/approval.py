"""Which tool was meant: what a server said of it first, and what its user has approved since.

A server may change what a tool says about itself after somebody has read it (a "rug pull"). So what
was said is kept for each user, server and tool, and another text is a question for a person.
"""

import hashlib
from typing import Any, Final

from backend.blocks.mcp.servers import shown
from backend.sdk import BlockContext, JsonObject, NotConfigured, ServerTool

_PREFIX: Final = "mcp#"


class ToolChanged(ValueError):
    """A tool is not the one that was approved, and nobody has approved of it as it is."""


async def kept(context: BlockContext, url: str, name: str) -> JsonObject | None:
    """Return what is kept of the tool *name* at *url*, ``digest`` among it; None if nothing is."""
    found: Any = await context.own_memory().recall(_key(url, name))
    return found if isinstance(found, dict) and isinstance(found.get("digest"), str) else None


async def keep(context: BlockContext, url: str, tool: ServerTool) -> JsonObject:
    """Keep *tool* as it is now for this user; return what is kept."""
    facts: JsonObject = {"digest": tool.digest(), **_shown(tool)}
    now_us = int(context.now().timestamp() * 1_000_000)
    await context.own_memory().remember(_key(url, tool.name), facts, now_us=now_us)
    return facts


async def is_read_whole(context: BlockContext, url: str) -> bool:
    """Say whether all tools of the server at *url* were kept once for this user."""
    return await context.own_memory().recall(_key(url)) is not None


async def note_read_whole(context: BlockContext, url: str) -> None:
    """Note that all tools of the server at *url* are kept."""
    now_us = int(context.now().timestamp() * 1_000_000)
    await context.own_memory().remember(_key(url), {"whole": True}, now_us=now_us)


async def approve(context: BlockContext, url: str, before: JsonObject, tool: ServerTool) -> str:
    """
    Ask a person whether *tool* may be called as it is now; return its digest if so, and keep it.

    Ends the block by an exception where nobody has decided yet; see `BlockContext.people`.

    Raises:
        ToolChanged: If they said no, or it has changed again since they looked, or nobody can be
            asked here.
    """
    where = shown(url)
    said = f"the tool {tool.name!r} of {where} has changed since it was approved"
    question: JsonObject = {
        "server": where,
        "tool": tool.name,
        "digest": tool.digest(),
        "now": _shown(tool),
        "before": {name: value for name, value in before.items() if name != "digest"},
    }
    try:
        people = context.people()
    except NotConfigured as exc:
        raise ToolChanged(f"{said}; run an agent that uses it, and you are asked") from exc
    # They are asked whatever the agent's settings say: this is about who is trusted, not about
    # what an agent may do.
    decision = people.decide(
        question,
        instructions=f"{said}. Approve to call it as it is now, reject to let this fail.",
        editable=False,
    )
    if not decision.approved:
        raise ToolChanged(f"{said}, and was not approved as it is now: {decision.message or 'no'}")
    if not isinstance(decision.payload, dict) or decision.payload.get("digest") != tool.digest():
        raise ToolChanged(f"{said}, and what was approved is not what it is now: run it again")
    facts = await keep(context, url, tool)
    return str(facts["digest"])


def _shown(tool: ServerTool) -> JsonObject:
    return {"title": tool.title, "description": tool.description, "arguments": tool.schema}


def _key(url: str, name: str | None = None) -> str:
    """
    Return a key that no block of people's values can make: theirs begin otherwise.

    Without a name it is that of the server itself.
    """
    told = url if name is None else f"{url}\0{name}"
    return _PREFIX + hashlib.sha256(told.encode()).hexdigest()
