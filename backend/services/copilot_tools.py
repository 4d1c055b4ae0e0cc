"""What the copilot can do for a person: the same that they can do by REST, by the same services."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from backend.core import json
from backend.core.audit import Actor, By
from backend.core.catalog import Catalog
from backend.core.errors import AgentServerError, BadRequest, GraphInvalid
from backend.core.ids import GraphId, IdSeries
from backend.core.json import Json, JsonObject
from backend.core.menu import Menu
from backend.services.agent_tools import AgentResult, AgentTools, run_id_of
from backend.services.audit import AuditService
from backend.services.copilot_blocks import CopilotBlocks
from backend.services.copilot_calls import Does, ToolCalled
from backend.services.copilot_docs import CopilotDocs
from backend.services.copilot_files import CopilotFiles
from backend.services.copilot_forms import (
    agent_form,
    block_form,
    graph_form,
    graph_of,
    with_kept,
)
from backend.services.executions import ExecutionService
from backend.services.graphs import GraphService
from backend.services.schedules import ScheduleRequest, ScheduleService

#: What a model is told by one call, at most, in characters of JSON.
MOST_TEXT: Final = 32 * 1024
_BLOCKS: Final = 6
_AGENTS: Final = 20
_RUNS: Final = 5


@dataclass(frozen=True, kw_only=True)
class CopilotTools:
    """The tools of `copilot_words.TOOLS`, for all users."""

    agents: AgentTools
    graphs: GraphService
    executions: ExecutionService
    schedules: ScheduleService
    catalog: Catalog
    audit: AuditService
    blocks: CopilotBlocks
    files: CopilotFiles
    docs: CopilotDocs

    async def call(self, name: str, called: ToolCalled) -> str:
        """Return what a tool says, as JSON; what is wrong about the call is said there, too."""
        try:
            told = await self._all[name](called)
        except GraphInvalid as exc:
            told = {"type": "error", "message": str(exc), "problems": _plain(exc.problems)}
        except AgentServerError as exc:
            told = {"type": "error", "message": str(exc)}
        return within(told, called.chat_id)

    @cached_property
    def _all(self) -> Mapping[str, Does]:
        return {
            "find_library_agent": self._find_agents,
            "get_agent": self._get_agent,
            "find_block": self._find_blocks,
            "view_agent_output": self._view_output,
            "run_agent": self._run_agent,
            "schedule_agent": self._schedule_agent,
            "create_agent": self._create_agent,
            "edit_agent": self._edit_agent,
            **self.blocks.tools,
            **self.files.tools,
            **self.docs.tools,
        }

    @cached_property
    def _menu(self) -> Menu:
        return Menu(self.catalog.listed())

    async def _find_agents(self, called: ToolCalled) -> JsonObject:
        page = max(1, min(int(called.arguments.get("page") or 1), 10_000))
        tools, total = await self.agents.found(
            called.user_id, called.text("query"), skip=(page - 1) * _AGENTS, most=_AGENTS
        )
        if not tools:
            return {"type": "no_results", "message": "There is no such agent in the library."}
        return {
            "type": "agents_found",
            "message": f"{len(tools)} of {total} agents, page {page}",
            "agents": [agent_form(tool) for tool in tools],
            "count": total,
        }

    async def _get_agent(self, called: ToolCalled) -> JsonObject:
        version = called.arguments.get("version")
        graph = await self.graphs.get(called.user_id, called.graph_id, version)
        return {
            "type": "agent_details",
            "message": f"{graph.name}, version {graph.version}",
            "agent": graph_form(graph, self.catalog),
        }

    async def _find_blocks(self, called: ToolCalled) -> JsonObject:
        found = self._menu.search(called.text("query"))
        if not found:
            return {"type": "no_results", "message": "No block fits; try one other word."}
        return {
            "type": "block_list",
            "message": f"the nearest of {len(found)} blocks",
            "blocks": [block_form(one.spec) for one in found[:_BLOCKS]],
            "others": [one.spec.name for one in found[_BLOCKS : 5 * _BLOCKS]],
            "count": len(found),
        }

    async def _view_output(self, called: ToolCalled) -> JsonObject:
        if run_id := called.text("run_id"):
            found = await self.agents.result(called.user_id, run_id_of(run_id))
            return _result("agent_output", found)
        if not called.text("graph_id"):
            raise BadRequest("view_agent_output takes a run_id or a graph_id")
        runs, total = await self.executions.page(
            called.user_id, called.graph_id, page=1, page_size=_RUNS
        )
        if not runs:
            return {"type": "no_results", "message": "This agent has not been run."}
        newest = await self.agents.result(called.user_id, runs[0].id)
        return {
            **_result("agent_output", newest),
            "runs": [{"run_id": one.id, "status": one.status.value} for one in runs],
            "count": total,
        }

    async def _run_agent(self, called: ToolCalled) -> JsonObject:
        found = await self.agents.run(
            called.user_id, called.graph_id, called.inputs, key=called.key
        )
        kind = "agent_output" if found.ended else "execution_started"
        return {**_result(kind, found), "graph_id": called.graph_id}

    async def _schedule_agent(self, called: ToolCalled) -> JsonObject:
        wanted = ScheduleRequest(
            graph_id=called.graph_id,
            name=called.text("name")[:200] or None,
            cron=called.text("cron"),
            inputs=called.inputs,
            timezone=called.text("timezone") or None,
        )
        facts = {"graph_id": called.graph_id}
        async with self.audit.recording(_actor(called), "create", "schedule", facts=facts):
            made = await self.schedules.create(called.user_id, wanted, key=called.key)
        return {
            "type": "execution_started",
            "message": f"It runs {self.schedules.describe(made)}.",
            "schedule_id": made.id,
            "graph_id": made.graph_id,
            "graph_version": made.graph_version,
            "cron": made.cron,
            "timezone": made.timezone,
        }

    async def _create_agent(self, called: ToolCalled) -> JsonObject:
        ids = IdSeries(called.key)
        graph = graph_of(
            called.arguments, self.catalog, graph_id=GraphId(ids[0]), fresh=_counting(ids)
        )
        async with self.audit.recording(_actor(called), "create", "graph"):
            made = await self.graphs.create(called.user_id, graph, key=called.key)
        return _saved(made.id, made.version, made.name)

    async def _edit_agent(self, called: ToolCalled) -> JsonObject:
        graph_id, ids = called.graph_id, IdSeries(called.key)
        known = await self.graphs.get(called.user_id, graph_id)
        drawn = graph_of(called.arguments, self.catalog, graph_id=graph_id, fresh=_counting(ids))
        graph = with_kept(drawn, known, self.catalog)
        async with self.audit.recording(_actor(called), "change", "graph", graph_id):
            made = await self.graphs.update(called.user_id, graph_id, graph, key=called.key)
        return _saved(made.id, made.version, made.name)


def within(told: Mapping[str, Any], chat_id: str) -> str:
    """Return what a tool says, with its session, as JSON that is not too long for a model."""
    whole = {**told, "session_id": chat_id}
    text = json.text(whole)
    if len(text) <= MOST_TEXT:
        return text
    kept = {name: whole[name] for name in ("type", "message", "session_id") if name in whole}
    hint = f"too long to be shown whole: the first {MOST_TEXT // 2} of {len(text)} characters"
    return json.text({**kept, "hint": hint, "preview": json.text(dict(told))[: MOST_TEXT // 2]})


def _plain(problems: Mapping[str, Mapping[str, str]]) -> JsonObject:
    return {node: dict[str, Json](fields) for node, fields in problems.items()}


def _result(kind: str, found: AgentResult) -> JsonObject:
    told: JsonObject = {
        "type": kind,
        "message": f"The run is {found.status.value}.",
        "run_id": found.run_id,
        "status": found.status.value,
    }
    if found.ended:
        told["outputs"] = dict(found.outputs)
    else:
        told["hint"] = "ask view_agent_output with this run_id for the outputs"
    if found.error is not None:
        told["error"] = found.error
    return told


def _saved(graph_id: str, version: int, name: str) -> JsonObject:
    return {
        "type": "agent_saved",
        "message": f"{name} is saved, version {version}.",
        "graph_id": graph_id,
        "graph_version": version,
        "agent_name": name,
    }


def _actor(called: ToolCalled) -> Actor:
    return Actor(who=called.user_id, by=By.COPILOT, by_id=called.chat_id)


def _counting(ids: IdSeries) -> Callable[[], str]:
    """Return what gives one id of *ids* after the other, from the second."""
    numbers = iter(range(1, 1_000_000))
    return lambda: ids[next(numbers)]
