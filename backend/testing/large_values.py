"""The spec of storage for large values: they come back whole, wherever the adapter keeps them."""

from dataclasses import replace
from typing import Any, Final

import pytest

from backend.core import json
from backend.core.block import BlockSpec
from backend.core.catalog import Catalog
from backend.core.errors import TooLarge
from backend.core.execution import NodeExecution
from backend.core.graph import Graph, Node
from backend.core.ids import BlockId, ExecutionId, GraphId, NodeExecutionId, NodeId
from backend.core.plan import GraphPlan, NodePlan
from backend.core.reviews import Answer, ReviewRecord, ReviewStatus
from backend.core.status import Status
from backend.ports.storage import JournalBatch, RunChange, Storage
from backend.testing.storage import ANN, GRAPH, RUN, change, new_run

#: What is large in the storages under this spec, bytes of JSON.
LARGE_BYTES: Final = 16 * 1024
LARGE: Final[Any] = {"text": "ä" * LARGE_BYTES, "list": list(range(LARGE_BYTES)), "none": None}
_BLOCK: Final = BlockSpec(id=BlockId("block"), name="Block")
_GRAPH: Final = Graph(
    id=GraphId("one"),
    name="one",
    description="",
    nodes=(Node(id=NodeId("node"), block_id=_BLOCK.id),),
)
PLAN: Final = GraphPlan(_GRAPH, Catalog([_BLOCK])).nodes_by_id


def node_execution(ordinal: int = 0, status: Status = Status.RUNNING) -> NodeExecution:
    """Return an execution of the one node of `PLAN`."""
    node: NodePlan = PLAN["node"]
    made = NodeExecution(ordinal, f"node {ordinal}", node, 1)
    made.status, made.queue_no, made.queue_us, made.start_us = status, ordinal, 1, 1
    made.revision = 2
    return made


class LargeValuesSpec:
    """Give a fixture `storage` as for StorageSpec, in which `LARGE_BYTES` go into a row."""

    async def test_a_large_input_comes_back_whole_to_who_asks_for_its_run(
        self, storage: Storage
    ) -> None:
        """To the engine too, and to who submits it again."""
        inputs = {"before": 1, "large": LARGE, "after": [LARGE, "@"]}
        made = await storage.submit(new_run(inputs=inputs, masks={"node": {"pin": LARGE}}))
        again = await storage.submit(new_run(inputs=inputs))

        found = await storage.of(ANN).execution(RUN)
        [stored] = await storage.load_runs([RUN])

        assert found is not None
        for record in (made, again, found, stored.record):
            assert record.inputs == inputs
            assert list(record.inputs) == list(inputs)
            assert record.masks == {"node": {"pin": LARGE}}

    async def test_a_list_of_runs_tells_of_a_large_input_only_that_it_is_there(
        self, storage: Storage
    ) -> None:
        """A list of hundreds must not carry hundreds of them."""
        await storage.submit(new_run(inputs={"small": 1, "large": LARGE}))

        [listed] = await storage.of(ANN).executions(limit=10)
        [paged], _ = await storage.of(ANN).executions_page(GRAPH.id, page=1, page_size=10)

        assert listed.inputs["small"] == paged.inputs["small"] == 1
        size = len(json.dumps(LARGE))
        assert listed.inputs["large"] == paged.inputs["large"]
        assert f"{size} bytes" in listed.inputs["large"]

    async def test_a_new_run_with_a_value_over_the_limit_is_refused(self, storage: Storage) -> None:
        """The spec's storages take 1 MiB."""
        with pytest.raises(TooLarge, match="MAX_VALUE_MB"):
            await storage.submit(new_run(inputs={"large": "x" * (1024 * 1024)}))

        assert await storage.of(ANN).execution(RUN) is None

    async def test_what_a_node_got_and_gave_comes_back_whole(self, storage: Storage) -> None:
        """While it gathers, while it streams, and when it has ended; to people and the engine."""
        await storage.submit(new_run())
        gathering, streaming, ended = (node_execution(ordinal) for ordinal in range(3))
        gathering.status, gathering.received = Status.INCOMPLETE, {"a": LARGE}
        gathering.queue_no = gathering.queue_us = gathering.start_us = None
        streaming.input, streaming.outputs = {"a": LARGE}, [("a", 1), ("b", LARGE)]
        ended.status, ended.end_us = Status.COMPLETED, 2
        ended.input, ended.outputs = {"b": LARGE, "c": "@"}, [("b", LARGE), ("a", "@")]
        nodes = [gathering, streaming, ended]

        await _commit(storage, change(claim=True, nodes=nodes))
        loaded = await storage.load_nodes(RUN, PLAN)
        shown = await storage.of(ANN).node_executions(RUN, limit=10)

        assert loaded[0].received == {"a": LARGE}
        assert (loaded[1].input, loaded[1].outputs) == (streaming.input, streaming.outputs)
        by_ordinal = {one.ordinal: one for one in shown}
        assert [by_ordinal[n].inputs for n in range(3)] == [
            {"a": LARGE},
            streaming.input,
            ended.input,
        ]
        assert by_ordinal[1].outputs == {"a": [1], "b": [LARGE]}
        assert by_ordinal[2].outputs == {"b": [LARGE], "a": ["@"]}

    async def test_what_is_passed_on_in_a_later_commit_comes_back_whole(
        self, storage: Storage
    ) -> None:
        """And what was changed since under the same name is what it was changed to."""
        await storage.submit(new_run())
        first, second = node_execution(0), node_execution(1)
        first.input, second.input = {"a": LARGE}, {"b": LARGE, "c": [LARGE]}

        await _commit(storage, change(claim=True, nodes=[first]))
        await _commit(storage, change(revision=3, nodes=[second]))
        loaded = await storage.load_nodes(RUN, PLAN)

        assert [one.input for one in loaded] == [first.input, second.input]

    async def test_a_child_run_gets_a_large_value_whole(self, storage: Storage) -> None:
        """It is added together with the change of its parent."""
        await storage.submit(new_run())
        child = new_run("child", parent_id=RUN, root_id=RUN, depth=1, inputs={"a": LARGE})
        batch = JournalBatch(owner="A", changes=[change(claim=True)], new_runs=[child])

        await storage.commit(storage.stage(batch))
        [stored] = await storage.load_runs([child.id])

        assert stored.record.inputs == {"a": LARGE}

    async def test_people_see_large_questions_whole_and_may_answer_largely(
        self, storage: Storage
    ) -> None:
        """What is approved is what the run goes on with."""
        await storage.submit(new_run())
        waiting = replace(change(claim=True), values={**change().values, "status": "REVIEW"})
        batch = JournalBatch(owner="A", changes=[waiting], questions=[_question(LARGE)])

        await storage.commit(storage.stage(batch))
        asked = await storage.of(ANN).reviews_of(RUN)
        listed = await storage.of(ANN).waiting_reviews(page=1, page_size=10)
        edited = Answer(
            node_exec_id=NodeExecutionId("q"), approved=True, edited=True, payload=[LARGE]
        )
        await storage.of(ANN).answer_reviews([edited], now_us=5)
        decided = await storage.decisions(RUN)

        assert asked is not None
        assert [one.payload for one in (*asked, *listed)] == [LARGE, LARGE]
        assert decided.by_execution["q"].payload == [LARGE]


async def _commit(storage: Storage, *changes: RunChange) -> frozenset[ExecutionId]:
    return await storage.commit(storage.stage(JournalBatch(owner="A", changes=changes)))


def _question(payload: Any) -> ReviewRecord:
    return ReviewRecord(
        node_exec_id=NodeExecutionId("q"),
        node_id=NodeId("node"),
        user_id=ANN,
        run_id=RUN,
        graph_id=GRAPH.id,
        graph_version=1,
        payload=payload,
        instructions=None,
        editable=True,
        status=ReviewStatus.WAITING,
        created_us=1,
    )
