"""A user's agents as tools, for programs that know tools and nothing of graphs."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backend.core.catalog import Catalog
from backend.core.errors import BadRequest, NotFound
from backend.core.graph import Graph
from backend.core.graph_schema import input_schema
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.json import Json, JsonObject
from backend.core.records import ExecutionRecord
from backend.core.status import FINAL, Status
from backend.services.executions import ExecutionService, RunRequest
from backend.services.library import LibraryService

#: Tools on one page of a list.
PAGE: Final = 50
#: How long a call waits for the end of its run; after that it is asked for by its id.
MAX_WAIT_S: Final = 25.0
_FIRST_LOOK_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 0.5
#: The longest name that all programs take is 64 characters: words, a line, a graph's id.
_WORDS: Final = 27
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_DESCRIPTION: Final = 2_000
_ENDED: Final = FINAL | {Status.REVIEW}


@dataclass(frozen=True, kw_only=True)
class AgentTool:
    """One agent as a tool; *inputs* is a JSON schema."""

    graph_id: GraphId
    name: str
    title: str
    description: str
    inputs: JsonObject


@dataclass(frozen=True, kw_only=True)
class AgentResult:
    """
    Where a run stands.

    Attributes:
        outputs: What it has given, by the names of its outputs; a list for each.
        ended: Whether it will give no more. One that waits for a person has not, but takes its
            time.
    """

    run_id: ExecutionId
    status: Status
    outputs: Mapping[str, Json]
    ended: bool
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class AgentTools:
    """See the module. It keeps nothing."""

    library: LibraryService
    executions: ExecutionService
    catalog: Catalog

    async def page(self, user_id: UserId, number: int) -> tuple[list[AgentTool], bool]:
        """Return page *number*, from 1, of *user_id*'s agents, and whether there is another."""
        agents, total = await self.library.listed(user_id, page=number, page_size=PAGE)
        tools = [self._tool(agent.graph) for agent in agents]
        return tools, number * PAGE < total

    async def found(
        self, user_id: UserId, search: str, *, skip: int, most: int
    ) -> tuple[list[AgentTool], int]:
        """Return agents that fit *search* after *skip* of them, and how many fit in all."""
        agents, total = await self.library.found(user_id, search, skip=skip, most=most)
        return [self._tool(agent.graph) for agent in agents], total

    async def run(
        self, user_id: UserId, name: str, inputs: Mapping[str, Any], *, key: str | None
    ) -> AgentResult:
        """
        Run the agent whose tool is called *name*, or whose id that is, and wait for its end for `MAX_WAIT_S` seconds.

        Args:
            key: The same key starts one run, however often it comes.

        Raises:
            NotFound: If no tool of this user has such a name.
            BadRequest, GraphInvalid: As `ExecutionService.start` does.
        """
        found = _ID.search(name[-36:])
        if found is None:
            raise NotFound(f"There is no tool {name[:100]!r}.")
        graph_id, asked = GraphId(found.group()), RunRequest(inputs=inputs)
        if key is None:
            record = await self.executions.start(user_id, graph_id, None, asked)
        else:
            record, _ = await self.executions.start_once(user_id, graph_id, None, asked, key=key)
        return await self.result(user_id, record.id, wait_s=MAX_WAIT_S)

    async def result(
        self, user_id: UserId, run_id: ExecutionId, *, wait_s: float = 0.0
    ) -> AgentResult:
        """
        Return where a run stands, when it has ended or after *wait_s* seconds, `MAX_WAIT_S` at most.

        Raises:
            NotFound: If this user has no such run.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + min(wait_s, MAX_WAIT_S)
        pause_s = _FIRST_LOOK_S
        while True:
            record = await self.executions.get(user_id, run_id)
            if record.status in _ENDED or loop.time() >= until_s:
                return _result(record)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    def _tool(self, graph: Graph) -> AgentTool:
        words = re.sub(r"[^a-z0-9]+", "_", graph.name.lower()).strip("_")[:_WORDS].strip("_")
        return AgentTool(
            graph_id=graph.id,
            name=f"{words or 'agent'}_{graph.id}",
            title=graph.name[:200] or "Agent",
            description=(graph.description or f"Runs the agent {graph.name}.")[:_MAX_DESCRIPTION],
            inputs=_plain(input_schema(graph, self.catalog)),
        )


def run_id_of(value: Any) -> ExecutionId:
    """Return *value* as the id of a run. Raises BadRequest."""
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise BadRequest("run_id is the id of a run, as a call of an agent has given it")
    return ExecutionId(value)


def _plain(schema: JsonObject) -> JsonObject:
    """Return a schema without the words that mean something to builders only."""
    properties = schema.get("properties")
    assert isinstance(properties, dict)
    kept = {
        name: {word: value for word, value in pin.items() if word not in _OF_BUILDERS}
        for name, pin in properties.items()
        if isinstance(pin, dict)
    }
    return {**schema, "properties": dict[str, Json](kept)}


_OF_BUILDERS: Final = frozenset({"advanced", "secret", "hidden", "placeholder"})


def _result(record: ExecutionRecord) -> AgentResult:
    return AgentResult(
        run_id=record.id,
        status=record.status,
        outputs=dict(record.outputs or {}),
        ended=record.status in FINAL,
        error=record.stats.error if record.stats else None,
    )
