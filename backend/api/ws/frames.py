"""Committed rows as frames, small enough to be sent."""

from dataclasses import dataclass
from typing import Any, Final

from backend.api.wire.executions import graph_execution_event, node_execution_event
from backend.api.ws.messages import WSMethod, event_frame
from backend.api.ws.truncate import truncated
from backend.core.ids import ExecutionId
from backend.core.json import NotJson
from backend.core.records import ExecutionRecord, NodeRecord
from backend.ports.bus import NodeText

#: The parts of an event that a user's data can make large.
_LARGE: Final = ("inputs", "outputs", "input_data", "output_data", "nodes_input_masks")


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """One event, ready to be sent, with the number of the change that it shows."""

    run_id: ExecutionId
    sequence: int
    text: str


def run_frame(record: ExecutionRecord, channel: str, *, limit_bytes: int) -> Frame:
    """Return the event that says how a run stands."""
    data = graph_execution_event(record)
    text = _fitting(WSMethod.GRAPH_EXECUTION_EVENT, data, channel, limit_bytes)
    return Frame(run_id=record.id, sequence=record.revision, text=text)


def node_frame(
    run: ExecutionRecord, record: NodeRecord, channel: str, *, limit_bytes: int
) -> Frame:
    """Return the event that says how an execution of a node of *run* stands."""
    data = node_execution_event(run, record)
    text = _fitting(WSMethod.NODE_EXECUTION_EVENT, data, channel, limit_bytes)
    return Frame(run_id=run.id, sequence=record.revision, text=text)


def text_frame(change: NodeText, channel: str) -> str:
    """Return the event that brings a piece of what a node's model says."""
    data = {
        "event_type": "node_execution_text_update",
        "user_id": change.user_id,
        "graph_id": change.graph_id,
        "graph_exec_id": change.run_id,
        "node_id": change.node_id,
        "node_exec_id": change.node_exec_id,
        "call": change.call,
        "offset": change.offset,
        "text": change.text,
    }
    return event_frame(WSMethod.NODE_EXECUTION_TEXT_EVENT, data, channel).decode()


def _fitting(method: WSMethod, data: dict[str, Any], channel: str, limit_bytes: int) -> str:
    try:
        frame = event_frame(method, data, channel)
        if len(frame) <= limit_bytes:
            return frame.decode()
        share = limit_bytes // len(_LARGE)
        small = {n: truncated(data[n], share) or {} for n in _LARGE if data.get(n) is not None}
    except NotJson:
        # Nested so deeply that the frame around it is too much.
        small = {name: {} for name in _LARGE if data.get(name) is not None}
    # What cannot be shortened is left out: that something changed, and how, is still told.
    return event_frame(method, {**data, **small}, channel).decode()
