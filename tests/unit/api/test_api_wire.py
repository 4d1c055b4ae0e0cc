"""Records as they go over the wire."""

from backend.api.wire import executions
from backend.api.wire.shapes import GraphExecution, NodeExecutionResult
from backend.api.wire.times import iso
from backend.core.execution import RunStats
from backend.core.ids import BlockId, ExecutionId, GraphId, NodeExecutionId, NodeId, UserId
from backend.core.records import ExecutionRecord, NodeRecord
from backend.core.status import Status

START_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z

RUN = ExecutionRecord(
    id=ExecutionId("r"),
    user_id=UserId("ann"),
    graph_id=GraphId("g"),
    graph_version=2,
    status=Status.RUNNING,
    inputs={"text": "hello"},
    started_us=START_US,
    revision=7,
    stats=RunStats(cost=1, duration_s=0.5, node_count=2),
    outputs={"result": ["hello"]},
)
NODE = NodeRecord(
    run_id=ExecutionId("r"),
    ordinal=0,
    id=NodeExecutionId("e"),
    node_id=NodeId("n"),
    block_id=BlockId("b"),
    status=Status.QUEUED,
    inputs={"input": 1},
    outputs={},
    add_us=START_US + 5,
    revision=3,
)


def test_times_are_utc_with_a_z_and_microseconds_where_there_are_any() -> None:
    assert iso(START_US) == "2026-01-01T00:00:00Z"
    assert iso(START_US + 123) == "2026-01-01T00:00:00.000123Z"
    assert iso(START_US - 1) == "2025-12-31T23:59:59.999999Z"


def test_the_event_of_a_run_is_the_run_with_its_number() -> None:
    event = executions.graph_execution_event(RUN)

    GraphExecution.model_validate(event)
    assert event["event_type"] == "graph_execution_update"
    assert event["sequence"] == 7
    assert event["status"] == "RUNNING"
    assert event["outputs"] == {"result": ["hello"]}
    assert event["stats"]["node_exec_count"] == 2
    assert (event["started_at"], event["ended_at"]) == ("2026-01-01T00:00:00Z", None)


def test_the_event_of_a_node_names_its_run_and_graph() -> None:
    event = executions.node_execution_event(RUN, NODE)

    NodeExecutionResult.model_validate(event)
    assert event["event_type"] == "node_execution_update"
    assert event["sequence"] == 3
    assert (event["graph_exec_id"], event["graph_id"], event["graph_version"]) == ("r", "g", 2)
    assert event["add_time"] == "2026-01-01T00:00:00.000005Z"
    assert event["queue_time"] is None


def test_a_run_without_outputs_has_an_empty_object() -> None:
    event = executions.graph_execution_event(
        ExecutionRecord(
            id=ExecutionId("r"),
            user_id=UserId("ann"),
            graph_id=GraphId("g"),
            graph_version=1,
            status=Status.QUEUED,
            inputs={},
        )
    )

    assert event["outputs"] == {}
    assert event["stats"] is None


def test_pages_are_counted_up() -> None:
    assert executions.pagination(total=0, page=1, page_size=25)["total_pages"] == 0
    assert executions.pagination(total=25, page=1, page_size=25)["total_pages"] == 1
    assert executions.pagination(total=26, page=1, page_size=25)["total_pages"] == 2
