"""MCPTool: calls one tool of a server that speaks the Model Context Protocol."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.mcp.approval import ToolChanged, approve, keep, kept
from backend.blocks.mcp.servers import address_of, server_of
from backend.sdk import (
    BadRequest,
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    Json,
    JsonObject,
    NotJson,
    ServerTool,
    ToolOutcome,
    credentials_pin,
    pin,
    pins,
    read_json,
)

_LONGEST_ERROR: Final = 2_000


class MCPToolBlock(Block):
    """
    Calls a tool of a server that speaks MCP: over streamable HTTP, or one that runs beside this one.

    What a tool says about itself is kept when it is first used; if it changes, a person is asked
    before it is called again.
    """

    id = "a0a4b1c2-d3e4-4f56-a7b8-c9d0e1f2a3b4"
    categories = (Category.DEVELOPER_TOOLS,)
    # The call itself is a step that is never repeated; all around it may be.
    effect = Effect.IDEMPOTENT
    keyless = True
    tool_choice = "selected_tool"
    examples = (
        Example(
            inputs={"server_url": "npx some-tools --yes", "selected_tool": "add"},
            error="no other command is run",
        ),
        Example(
            inputs={"server_url": "https://tools.example.com/mcp", "selected_tool": ""},
            error="name the tool",
        ),
        Example(
            inputs={
                "server_url": "https://tools.example.com/mcp",
                "selected_tool": "add",
                "tool_input_schema": {"required": ["a"]},
                "tool_arguments": {"b": 1},
            },
            error="a is missing",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        server_url: str = pin(
            title="Server URL",
            description=(
                "The address of the server's endpoint; or stdio: and the name of a server that the"
                " administrator has defined."
            ),
            placeholder="https://tools.example.com/mcp",
        )
        selected_tool: str = pin(
            default="",
            advanced=False,
            description=(
                "The name of the tool, as the server calls it. Left empty, a model whose tools are"
                " linked to this node chooses among all of the server's."
            ),
        )
        tool_arguments: dict[str, Any] = pin(
            default_factory=dict, advanced=False, description="What the tool is given."
        )
        tool_input_schema: dict[str, Any] = pin(
            default_factory=dict,
            hidden=True,
            description="What a builder knows of the tool's arguments. The server's word counts.",
        )
        credentials: dict[str, Any] = credentials_pin(
            ["http", "mcp"],
            [CredentialsKind.HOST_SCOPED, CredentialsKind.OAUTH2],
            discriminator="server_url",
            description=(
                "If the server wants to know who calls: headers that are kept for its host, or an"
                " account of it that you have connected."
            ),
        )

    @pins
    class Output:
        """Output pins."""

        result: Any = pin(description="What the tool returns: JSON as its value, all else as text.")
        error: str = pin(description="Why there is no result.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Call the tool if it is the one that was approved, and yield what it returns."""
        url, name = _checked(inputs), inputs.selected_tool.strip()

        async def meant(_: str) -> JsonObject:
            found = await kept(context, url, name)
            if found is None:
                server = await server_of(url, inputs.credentials, context)
                found = await keep(context, url, await context.mcp_servers().find(server, name))
            return found

        # Steps have names that stay the same, so a run that is taken up again does not call twice
        # where the tool was approved anew in between.
        before = await context.once("which tool", meant)
        arguments = _given(inputs.tool_arguments, before)

        async def call(digest: str, step: str) -> dict[str, Any]:
            async def work(_: str) -> dict[str, Any]:
                server = await server_of(url, inputs.credentials, context)
                servers = context.mcp_servers()
                return _kept(await servers.call(server, name, arguments, digest=digest))

            return await context.once(step, work, effect=Effect.AT_MOST_ONCE)

        outcome = await call(str(before["digest"]), "call")
        if not outcome["was_called"]:
            tool = _tool(outcome["tool"])
            digest = await approve(context, url, before, tool)
            outcome = await call(digest, "call after approval")
            if not outcome["was_called"]:
                raise ToolChanged(f"the tool {name!r} has changed once more: run it again")
        if outcome["is_error"]:
            said = str(_result(outcome))[:_LONGEST_ERROR]
            raise ValueError(f"the tool {name!r} failed: {said}")
        yield "result", _result(outcome)


def _checked(inputs: MCPToolBlock.Input) -> str:
    """Return the address of the server. Raises BadRequest for what cannot be called."""
    url = address_of(inputs.server_url)
    if not inputs.selected_tool.strip():
        raise BadRequest("name the tool to be called in selected_tool")
    required = inputs.tool_input_schema.get("required")
    missing = [
        each
        for each in (required if isinstance(required, list) else ())
        if each not in inputs.tool_arguments
    ]
    if missing:
        raise BadRequest(f"of tool_arguments {missing[0]} is missing")
    return url


def _given(arguments: dict[str, Any], tool: JsonObject) -> dict[str, Any]:
    """Return *arguments* without those that somebody left out: links bring them as null."""
    schema = tool.get("arguments")
    required = schema.get("required") if isinstance(schema, dict) else None
    needed = required if isinstance(required, list) else []
    return {name: each for name, each in arguments.items() if each is not None or name in needed}


def _kept(found: ToolOutcome) -> dict[str, Any]:
    """Return what a call came to, as JSON: it is kept with the run."""
    tool = found.tool
    return {
        "was_called": found.was_called,
        "is_error": found.is_error,
        "content": list(found.content),
        "structured": found.structured,
        "tool": {
            "name": tool.name,
            "title": tool.title,
            "description": tool.description,
            "schema": tool.schema,
        },
    }


def _tool(facts: dict[str, Any]) -> ServerTool:
    return ServerTool(**facts)


def _result(outcome: dict[str, Any]) -> Json:
    """Return the one value of an outcome, or a list of several."""
    values = [_value(block) for block in outcome["content"]]
    if not values:
        structured: Json = outcome["structured"]
        return structured
    return values[0] if len(values) == 1 else values


def _value(block: dict[str, Any]) -> Json:
    """Return a block of text as what it says; pictures, links and the like as they came."""
    text = block.get("text") if block.get("type") == "text" else None
    if not isinstance(text, str):
        return block
    try:
        value: Json = read_json(text)
    except NotJson:
        return text
    return value
