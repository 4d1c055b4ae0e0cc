"""A run put together from its rows, with the plan of its graph."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from backend.core import alone
from backend.core.catalog import Catalog
from backend.core.errors import GraphInvalid, Unavailable, ValueLost
from backend.core.execution import Execution, NodeExecution, RunStats
from backend.core.graph import Graph
from backend.core.ids import BlockId, GraphId
from backend.core.plan import GraphPlan
from backend.core.records import ExecutionRecord
from backend.core.restore import restore
from backend.core.reviews import NONE_YET, Decisions
from backend.core.status import Status
from backend.engine.tools import EngineTools
from backend.ports.storage import EngineStorage, StoredRun

log = structlog.get_logger()

_PLANS: Final = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """A run as its rows say."""

    execution: Execution
    before: Sequence[NodeExecution] = ()
    interrupted: Sequence[NodeExecution] = ()
    decisions: Decisions = NONE_YET
    problem: str | None = None


class RunLoader:
    """Makes runs of rows. Keeps the plans that were used last."""

    def __init__(self, storage: EngineStorage, tools: EngineTools) -> None:
        self._storage = storage
        self._tools = tools
        self._plans: OrderedDict[tuple[str, str, int], GraphPlan] = OrderedDict()

    async def restored(self, stored: StoredRun) -> Restored:
        """Put a run together from its rows; if it cannot be read, say why it fails."""
        record = stored.record
        try:
            plan = await self.plan(record)
            execution = self._execution(stored, plan)
            if stored.problem is not None:
                return Restored(execution=execution, problem=stored.problem)
            if not record.attempt:
                return Restored(execution=execution)
            before = await self._storage.load_nodes(record.id, plan.nodes_by_id)
            # Asked for after any first attempt: a node whose answer is there may have been queued,
            # or at work, when its executor was lost.
            decisions = await self._storage.decisions(record.id) if before else NONE_YET
            # Who waited for a budget, and does not any more, begins again.
            freed = {
                one.id
                for one in before
                if one.status is Status.REVIEW and one.id not in decisions.open
            }
            interrupted = restore(execution, before, decided={*decisions.by_execution, *freed})
        except Unavailable:
            raise  # the run is all right: the next sweep takes it
        except Exception as exc:  # border: a run that cannot be read fails; the others go on
            log.exception("run_not_read", execution=record.id)
            problem = f"ValueLost: {exc}" if isinstance(exc, ValueLost) else str(exc)
            return Restored(execution=self._execution(stored, _NO_PLAN), problem=problem)
        return Restored(
            execution=execution, before=before, interrupted=interrupted, decisions=decisions
        )

    async def plan(self, record: ExecutionRecord) -> GraphPlan:
        """
        Return the plan of a run's graph.

        Raises:
            GraphInvalid: If the graph is broken, or gone. One of somebody else, which a node of
                the run's graph may have named, is gone too.
        """
        graph_id, version = record.graph_id, record.graph_version
        block_id = alone.block_of(record.masks) if graph_id == alone.GRAPH_ID else ""
        key = (record.user_id, f"{graph_id}{block_id}", version)
        plan = self._plans.get(key)
        if plan is not None:
            self._plans.move_to_end(key)
            return plan
        turns = self._tools.turns
        if turns is not None and (graph_id, version) == (turns.graph.id, turns.graph.version):
            graph: Graph | None = turns.graph
        elif graph_id == alone.GRAPH_ID:
            graph = alone.graph_of(BlockId(block_id), self._tools.catalog)
        else:
            graph = await self._storage.graph_for_run(record.user_id, graph_id, version)
        if graph is None:
            raise GraphInvalid(f"Graph #{graph_id} version {version} is gone")
        plan = GraphPlan(graph, self._tools.catalog)
        await self._name_agents(record, plan)
        self._plans[key] = plan
        if len(self._plans) > _PLANS:
            self._plans.popitem(last=False)
        return plan

    async def _name_agents(self, record: ExecutionRecord, plan: GraphPlan) -> None:
        """Note what agents that are tools are called, and do: a model chooses by that."""
        for node in plan.nodes:
            if not (node.is_tool and node.is_agent):
                continue
            graph_id, version = node.own.get("graph_id"), node.own.get("graph_version")
            if isinstance(graph_id, str) and isinstance(version, int):
                agent = await self._storage.graph_for_run(
                    record.user_id, GraphId(graph_id), version
                )
                if agent is not None:
                    node.agent = (agent.name, agent.description)

    def _execution(self, stored: StoredRun, plan: GraphPlan) -> Execution:
        record, limits = stored.record, self._tools.limits
        return Execution(
            id=record.id,
            user_id=record.user_id,
            plan=plan,
            inputs=record.inputs,
            masks=record.masks or {},
            skipped=stored.skipped,
            parallel=limits.parallel_nodes,
            max_executions=limits.node_executions,
            status=record.status,
            revision=record.revision,
            created_us=record.created_us,
            started_us=record.started_us,
            stats=record.stats or RunStats(),
        )


#: Stands for the plan of a run whose graph is gone, so that it can fail like any other.
_NO_PLAN: Final = GraphPlan(Graph(id=GraphId(""), name="", description=""), Catalog(()))
