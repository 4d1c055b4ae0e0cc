"""Tools of servers that speak MCP: what they offer, and one call of one of them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from backend.core import json
from backend.core.credentials import Secret
from backend.core.ids import UserId
from backend.core.json import Json, JsonObject

#: Of one server, where all of them are asked for: no provider takes more for one question.
MOST_TOOLS: Final = 100
#: Where nobody is known who asks.
NOBODY: Final = UserId("")


@dataclass(frozen=True, kw_only=True)
class ToolServer:
    """
    Where the tools are.

    Attributes:
        url: Of the endpoint, http or https; or ``stdio:`` and the name of a server that the
            administrator has defined on this machine.
        user_id: Who asks.
        headers: That let us in, by name; of an address alone.
    """

    url: str
    user_id: UserId = NOBODY
    headers: Mapping[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ServerTool:
    """A tool as its server describes it. *schema* is the JSON schema of its arguments."""

    name: str
    title: str = ""
    description: str = ""
    schema: JsonObject = field(default_factory=dict)

    def digest(self) -> str:
        """Return the same text for the same tool, whatever the order of the schema's keys."""
        told = [self.name, self.title, self.description, _ordered(self.schema)]
        return hashlib.sha256(json.dumps(told)).hexdigest()


@dataclass(frozen=True, kw_only=True)
class ToolOutcome:
    """
    What a call came to.

    Attributes:
        tool: As the server describes it now.
        was_called: False if it is not the tool that was meant: nothing was done.
        is_error: Whether the tool itself says that it failed; *content* says why.
        content: Its blocks, as in the protocol; JSON.
        structured: The result as one value, if the tool gives one.
    """

    tool: ServerTool
    was_called: bool = True
    is_error: bool = False
    content: tuple[JsonObject, ...] = ()
    structured: Json = None


class ToolServers(Protocol):
    """
    The servers that can be reached from here.

    What is raised:

    - NotFound, if the server has no such tool, or there is no such server on this machine for this
      user; says which there are;
    - NotConfigured, if there are no servers on this machine at all;
    - WebRefused, if the server's address may not be called;
    - WebTimedOut, WebTooLarge, WebFailed, if there is no usable answer; of these WebClientError and
      WebServerError name the status of an answer without success.
    """

    async def find(self, server: ToolServer, name: str) -> ServerTool:
        """Return the tool *name* of *server*."""

    async def tools(self, server: ToolServer) -> Sequence[ServerTool]:
        """Return all that *server* offers, in its order. WebTooLarge: over `MOST_TOOLS`."""

    async def call(
        self, server: ToolServer, name: str, arguments: Mapping[str, Any], *, digest: str
    ) -> ToolOutcome:
        """Call the tool *name*, if it is still the one with *digest*. Never called twice by this."""

    async def aclose(self) -> None:
        """Let go of what is held."""


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return [[key, _ordered(value[key])] for key in sorted(value)]
    return [_ordered(item) for item in value] if isinstance(value, list) else value
