"""Rows to records and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Final

from sqlalchemy import Row

from backend.adapters.storage.values import Reader
from backend.core import json
from backend.core.execution import RunStats
from backend.core.fire_times import FireRules
from backend.core.graph import Graph, Link, Node
from backend.core.ids import (
    BlockId,
    ExecutionId,
    GraphId,
    LinkId,
    NodeExecutionId,
    NodeId,
    ScheduleId,
    UserId,
)
from backend.core.node_steps import NO_USE
from backend.core.records import (
    ExecutionRecord,
    MissedPolicy,
    NodeRecord,
    NoticeRecord,
    NoticeStatus,
    OverlapPolicy,
    ScheduleRecord,
    Timetable,
    UserRecord,
)
from backend.core.status import Status

_RULES: Final = frozenset(each.name for each in fields(FireRules))


def optional_json(value: Any) -> str | None:
    """Return the JSON text of *value*; None for None and for what is empty."""
    return json.text(value) if value else None


def loaded(value: str | None) -> Any:
    """Return the value of a JSON column; None for NULL."""
    return None if value is None else json.loads(value)


def user_record(row: Row[Any]) -> UserRecord:
    """Return the account of *row*."""
    return UserRecord(
        id=UserId(row.id),
        email=row.email,
        name=row.name,
        timezone=row.timezone,
        created_us=row.created_us,
        updated_us=row.updated_us,
        preferences=json.loads(row.preferences),
    )


def graph_body(graph: Graph) -> str:
    """Return nodes and links of *graph* as JSON text."""
    return json.text(
        {
            "nodes": [
                [node.id, node.block_id, node.input_default, node.metadata] for node in graph.nodes
            ],
            "links": [
                [
                    link.id,
                    link.source_id,
                    link.sink_id,
                    link.source_name,
                    link.sink_name,
                    link.is_static,
                ]
                for link in graph.links
            ],
        }
    )


def graph_record(row: Row[Any]) -> Graph:
    """Return the graph of *row*, without sub-graphs."""
    body = json.loads(row.body)
    return Graph(
        id=GraphId(row.id),
        version=row.version,
        name=row.name,
        description=row.description,
        is_active=bool(row.is_active),
        instructions=row.instructions,
        recommended_schedule_cron=row.recommended_schedule_cron,
        nodes=tuple(
            Node(
                id=NodeId(id_),
                block_id=BlockId(block_id),
                input_default=input_default,
                metadata=metadata,
            )
            for id_, block_id, input_default, metadata in body["nodes"]
        ),
        links=tuple(
            Link(
                id=LinkId(id_),
                source_id=NodeId(source),
                sink_id=NodeId(sink),
                source_name=source_name,
                sink_name=sink_name,
                is_static=bool(static),
            )
            for id_, source, sink, source_name, sink_name, static in body["links"]
        ),
        forked_from_id=GraphId(row.forked_from_id) if row.forked_from_id else None,
        forked_from_version=row.forked_from_version,
        user_id=UserId(row.user_id),
        created_at_us=row.created_us,
    )


def stats_text(stats: RunStats) -> str:
    """Return *stats* as JSON text."""
    values: dict[str, Any] = {
        "cost": stats.cost,
        "duration_s": stats.duration_s,
        "cpu_s": stats.cpu_s,
        "node_time_s": stats.node_time_s,
        "node_cpu_s": stats.node_cpu_s,
        "node_count": stats.node_count,
        "node_error_count": stats.node_error_count,
        "error": stats.error,
    }
    if stats.models is not NO_USE:
        values["models"] = asdict(stats.models)
    return json.text(values)


def execution_record(
    row: Row[Any], reader: Reader, outputs: Mapping[str, list[Any]] | None = None
) -> ExecutionRecord:
    """Return the run of *row*, whose large values *reader* reads."""
    return ExecutionRecord(
        id=ExecutionId(row.id),
        user_id=UserId(row.user_id),
        graph_id=GraphId(row.graph_id),
        graph_version=row.graph_version,
        status=Status(row.status),
        inputs=reader.loaded(row.inputs),
        credential_inputs=loaded(row.credential_inputs),
        masks=reader.loaded(row.masks),
        preset_id=row.preset_id,
        parent_id=row.parent_id,
        created_us=row.created_us,
        started_us=row.started_us,
        ended_us=row.ended_us,
        stop_us=row.stop_us,
        attempt=row.attempt,
        revision=row.revision,
        stats=RunStats.of(json.loads(row.stats)) if row.stats else None,
        is_shared=bool(row.is_shared),
        share_token=row.share_token,
        outputs=outputs,
    )


def unreadable_execution(row: Row[Any]) -> ExecutionRecord:
    """Return the run of *row* without what is text in it, which is none that can be read."""
    return ExecutionRecord(
        id=ExecutionId(row.id),
        user_id=UserId(row.user_id),
        graph_id=GraphId(row.graph_id),
        graph_version=row.graph_version,
        status=Status(row.status),
        inputs={},
        preset_id=row.preset_id,
        parent_id=row.parent_id,
        created_us=row.created_us,
        started_us=row.started_us,
        stop_us=row.stop_us,
        attempt=row.attempt,
        revision=row.revision,
    )


def by_pin(outputs: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    """Return (pin, value) pairs as lists of values by pin."""
    grouped: dict[str, list[Any]] = {}
    for pin, value in outputs:
        grouped.setdefault(pin, []).append(value)
    return grouped


def node_record(row: Row[Any], reader: Reader, streamed: Sequence[Sequence[Any]]) -> NodeRecord:
    """Return the node execution of *row*; *streamed* are its outputs from node_outputs."""
    outputs = [*streamed, *(reader.loaded(row.outputs) or ())]
    return NodeRecord(
        run_id=ExecutionId(row.run_id),
        ordinal=row.ordinal,
        id=NodeExecutionId(row.id),
        node_id=NodeId(row.node_id),
        block_id=BlockId(row.block_id),
        status=Status(row.status),
        inputs=reader.loaded(row.input) or reader.loaded(row.received) or {},
        outputs=by_pin(outputs),
        add_us=row.add_us,
        queue_us=row.queue_us,
        start_us=row.start_us,
        end_us=row.end_us,
        error=row.error,
        revision=row.revision,
    )


def _fire_rules(text: str) -> FireRules:
    # A newer program may have written more.
    return FireRules(**{name: one for name, one in json.loads(text).items() if name in _RULES})


def schedule_record(row: Row[Any]) -> ScheduleRecord:
    """Return the schedule of *row*."""
    return ScheduleRecord(
        id=ScheduleId(row.id),
        user_id=UserId(row.user_id),
        graph_id=GraphId(row.graph_id),
        graph_version=row.graph_version,
        name=row.name,
        agent_name=row.agent_name,
        cron=row.cron,
        timezone=row.timezone,
        rules=_fire_rules(row.rules),
        inputs=json.loads(row.inputs),
        credentials=json.loads(row.credentials),
        missed=MissedPolicy(row.missed),
        overlap=OverlapPolicy(row.overlap),
        created_us=row.created_us,
        next_us=row.next_us,
        last_us=row.last_us,
        last_run_id=None if row.last_run_id is None else ExecutionId(row.last_run_id),
        paused_because=row.paused_because,
        revision=row.revision,
    )


def timetable(row: Row[Any]) -> Timetable:
    """Return when the schedule of *row* fires."""
    return Timetable(
        id=ScheduleId(row.id),
        cron=row.cron,
        timezone=row.timezone,
        rules=_fire_rules(row.rules),
        created_us=row.created_us,
        next_us=row.next_us,
        paused_because=row.paused_because,
    )


def notice_record(row: Row[Any]) -> NoticeRecord:
    """Return the notice of *row*."""
    return NoticeRecord(
        id=row.id,
        user_id=UserId(row.user_id),
        type=row.type,
        data=json.loads(row.data),
        created_us=row.created_us,
        status=NoticeStatus(row.status),
        attempts=row.attempts,
        next_us=row.next_us,
        error=row.error,
        sent_us=row.sent_us,
        cause=row.cause,
        letter=row.letter,
    )
