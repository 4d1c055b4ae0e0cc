"""Tools of MCP servers: the protocol's own library, over the guarded way out or local streams.

The library takes seconds to import: that is done with the first call, in a thread. It is handed an
HTTP client of ours for each visit, so it dials nothing itself and shares no cookies.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from backend.adapters.mcp.local import SCHEME, LocalServers
from backend.adapters.mcp.visit import LocalLimits, LocalVisit
from backend.adapters.web.client import GuardedWebClient
from backend.core.errors import (
    AgentServerError,
    NotFound,
    WebClientError,
    WebFailed,
    WebServerError,
    WebTimedOut,
    WebTooLarge,
)
from backend.core.redaction import Redactor
from backend.ports.mcp import MOST_TOOLS, ServerTool, ToolOutcome, ToolServer
from backend.ports.web import MEGABYTE

if TYPE_CHECKING:
    import httpx2
    from mcp import Client
    from mcp.client._transport import Transport

T = TypeVar("T")

#: Of one answer, all events of a stream together.
MAX_ANSWER_BYTES: Final = 8 * MEGABYTE
#: Pages of a list of tools that are read, and what one tool may say about itself.
MAX_PAGES: Final = 20
MAX_TOOL_CHARACTERS: Final = 64 * 1024
VISIT_S: Final = 300.0
_NAMES_SHOWN: Final = 20
_WORDS: Final = 500
_REFUSED: Final = 400
_UNAUTHORIZED: Final = 401
_FAILED: Final = 500


class GuardedToolServers:
    """
    See backend.ports.mcp.ToolServers.

    Args:
        web: Whose connections are used; it is not closed with this.
        local: The servers of this machine, which are ended with this; None: there are none.
        visit_s: For one visit of a server: sign in, look, call, leave.
    """

    def __init__(
        self,
        web: GuardedWebClient,
        local: LocalServers | None = None,
        *,
        visit_s: float = VISIT_S,
    ) -> None:
        self._web = web
        self._local = local or LocalServers({}, LocalLimits())
        self._visit_s = visit_s
        self._loading: asyncio.Task[None] | None = None

    async def find(self, server: ToolServer, name: str) -> ServerTool:
        """See the port."""

        async def look(client: "Client") -> ServerTool | list[str]:
            return await _find(client, name)

        return _found(await self._visit(server, look), name)

    async def tools(self, server: ToolServer) -> Sequence[ServerTool]:
        """See the port."""

        async def look(client: "Client") -> list[ServerTool]:
            return [tool async for tool in _listed(client)]

        found = await self._visit(server, look)
        if len(found) > MOST_TOOLS:
            raise WebTooLarge(
                f"the tool server offers over {MOST_TOOLS} tools: choose one in selected_tool"
            )
        for tool in found:
            _require_short(tool)
        return found

    async def call(
        self, server: ToolServer, name: str, arguments: Mapping[str, Any], *, digest: str
    ) -> ToolOutcome:
        """See the port."""

        async def call(client: "Client") -> ToolOutcome | list[str]:
            tool = await _find(client, name)
            if isinstance(tool, list):
                return tool
            if tool.digest() != digest:
                return ToolOutcome(tool=tool, was_called=False)
            # Not `client.call_tool`: that one would list and call anew where the tool has changed
            # in between.
            said = await client.session.call_tool(name, dict(arguments))
            return ToolOutcome(
                tool=tool,
                is_error=said.is_error,
                content=tuple(
                    each.model_dump(mode="json", by_alias=True, exclude_none=True)
                    for each in said.content
                ),
                structured=said.structured_content,
            )

        return _found(await self._visit(server, call), name)

    async def aclose(self) -> None:
        """See the port. The connections belong to the web client."""
        await self._local.aclose()
        if self._loading is not None:
            await asyncio.wait([self._loading])

    async def _visit(self, server: ToolServer, work: Callable[["Client"], Awaitable[T]]) -> T:
        """
        Return what *work* comes to with a client of *server*.

        It must raise nothing of its own: the library wraps what passes through it in groups.
        """
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(_load))
        await asyncio.shield(self._loading)  # who waits may be cancelled, the import goes on
        heard = _Heard()
        limit = asyncio.timeout(self._visit_s)
        try:
            async with limit, self._client(server, heard) as client:
                return await work(client)
        except TimeoutError as exc:
            if not limit.expired():
                raise
            raise WebTimedOut(
                f"the tool server took longer than {self._visit_s:g} s"
                " (setting MCP_SERVER_TIME_LIMIT_S)"
            ) from exc
        except Exception as exc:
            # Whatever the library makes of it: one kind of failure, that of the server.
            raise _ours(exc, server, heard) from exc

    @asynccontextmanager
    async def _client(self, server: ToolServer, heard: "_Heard") -> AsyncIterator["Client"]:
        from mcp import Client  # noqa: PLC0415 -- heavy

        async with self._transport(server, heard) as transport:
            client = Client(transport, cache=None, read_timeout_seconds=self._visit_s)
            async with client:
                yield client

    @asynccontextmanager
    async def _transport(self, server: ToolServer, heard: "_Heard") -> AsyncIterator["Transport"]:
        if server.url.startswith(SCHEME):
            found = self._local.find(server.url, server.user_id)
            async with self._local.visit(found) as visit:
                heard.visit = visit
                yield visit.transport()
            return
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415 -- heavy

        async def note(answer: "httpx2.Response") -> None:
            heard.statuses.append(answer.status_code)

        async with await self._web.library_client(max_bytes=MAX_ANSWER_BYTES) as http:
            http.headers.update({name: value.reveal() for name, value in server.headers.items()})
            http.headers["user-agent"] = "agpt-server"
            http.timeout = self._visit_s
            http.event_hooks = {"request": [], "response": [note]}
            yield streamable_http_client(server.url, http_client=http)


@dataclass(slots=True)
class _Heard:
    """What is known of a visit beside what the library says: statuses of answers, or the server."""

    statuses: list[int] = field(default_factory=list)
    visit: LocalVisit | None = None


def _load() -> None:
    import mcp.client.streamable_http  # noqa: PLC0415 -- heavy; that is why it is done here

    assert mcp


async def _find(client: "Client", name: str) -> ServerTool | list[str]:
    """Return the tool, or the names of all there are."""
    names: list[str] = []
    async for tool in _listed(client):
        if tool.name == name:
            return tool
        names.append(tool.name)
    return names


async def _listed(client: "Client") -> AsyncIterator[ServerTool]:
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            yield ServerTool(
                name=tool.name,
                title=tool.title or "",
                description=tool.description or "",
                schema=dict(tool.input_schema),
            )
        cursor = page.next_cursor
        if cursor is None:
            return


def _found(outcome: T | list[str], name: str) -> T:
    """Return *outcome*. Raises NotFound where it is the names of other tools."""
    if isinstance(outcome, list):
        shown = ", ".join(outcome[:_NAMES_SHOWN]) or "none"
        raise NotFound(f"the tool server has no tool {name!r}; it has: {shown[:_WORDS]}")
    tool = outcome.tool if isinstance(outcome, ToolOutcome) else outcome
    assert isinstance(tool, ServerTool)
    _require_short(tool)
    return outcome


def _require_short(tool: ServerTool) -> None:
    if len(tool.title) + len(tool.description) + len(str(tool.schema)) > MAX_TOOL_CHARACTERS:
        name = tool.name[:_WORDS]
        raise WebTooLarge(f"what {name} says about itself is over {MAX_TOOL_CHARACTERS} characters")


def _ours(error: BaseException, server: ToolServer, heard: _Heard) -> AgentServerError:
    """Return the error of the port for what the library raised, with its words but no secrets."""
    from mcp.shared.exceptions import MCPError  # noqa: PLC0415 -- heavy

    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, AgentServerError):
        return error
    if heard.visit is not None and heard.visit.broken is not None:
        return heard.visit.broken
    statuses = heard.statuses
    said = f"{type(error).__name__}: {error}" if not isinstance(error, MCPError) else str(error)
    words = Redactor(server.headers.values()).text(said)[:_WORDS]
    status = next((each for each in reversed(statuses) if each >= _REFUSED), None)
    if isinstance(error, MCPError) and status is not None and statuses[-1] == status:
        text = f"the tool server answered with status {status}: {words}"
        if status == _UNAUTHORIZED and not server.headers:
            text += (
                "; it wants to know who calls: connect an account of it (provider mcp), or keep a"
                " header for its host"
            )
        kind = WebServerError if status >= _FAILED else WebClientError
        return kind(text, status=status)
    if isinstance(error, MCPError):
        return WebFailed(f"the tool server refused: {words}")
    return WebFailed(f"the tool server cannot be used: {words}")
