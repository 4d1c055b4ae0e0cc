"""Changes as bytes, between processes that may be of neighbouring versions.

Unknown fields are ignored and missing ones take their defaults, so that a field can be added.
"""

from dataclasses import fields
from typing import Any, Final, TypeVar

from backend.core import json
from backend.core.execution import RunStats
from backend.core.node_steps import ModelUse
from backend.core.records import ExecutionRecord, NodeRecord
from backend.core.status import Status
from backend.ports.bus import NodeChanged, NodeText, NoticeTold, RunChanged

Record = TypeVar("Record", ExecutionRecord, NodeRecord, RunStats, ModelUse, NodeText, NoticeTold)

#: What a node's message leaves out of its run: it can be large, is the same in each, and no frame
#: about a node shows it.
_LEFT_OUT: Final = frozenset(
    {"inputs", "credential_inputs", "masks", "stats", "outputs", "share_token"}
)
_RUN_FIELDS: Final = tuple(
    field.name for field in fields(ExecutionRecord) if field.name not in _LEFT_OUT
)


class BadMessage(json.NotJson):
    """A message has not the form of a change."""


def encode(change: RunChanged | NodeChanged | NodeText | NoticeTold) -> bytes:
    """
    Return *change* as compact JSON.

    The run inside a NodeChanged loses its inputs, masks, stats and outputs.

    Raises:
        NotJson: If a value has no JSON form.
    """
    if isinstance(change, NodeText):
        return json.dumps({"text": change})
    if isinstance(change, NoticeTold):
        return json.dumps({"notice": change})
    if isinstance(change, RunChanged):
        return json.dumps({"run": change.record})
    run = {name: getattr(change.run, name) for name in _RUN_FIELDS}
    return json.dumps({"run": run, "node": change.record})


def decode(message: bytes) -> RunChanged | NodeChanged | NodeText | NoticeTold:
    """
    Undo `encode`.

    Raises:
        BadMessage: If it is not a change, or lacks what this version cannot do without.
    """
    try:
        value = json.loads(message)
        if "text" in value:
            return _record(NodeText, value["text"])
        if "notice" in value:
            return _record(NoticeTold, value["notice"])
        run = _run(value["run"])
        node = value.get("node")
        if node is None:
            return RunChanged(record=run)
        record = _record(NodeRecord, {**node, "status": Status(node["status"])})
        return NodeChanged(run=run, record=record)
    except (json.NotJson, KeyError, TypeError, AttributeError, ValueError) as exc:
        raise BadMessage(f"not a change: {exc!r}") from exc


def _run(values: dict[str, Any]) -> ExecutionRecord:
    stats = values.get("stats")
    return _record(
        ExecutionRecord,
        {
            "inputs": {},
            **values,
            "status": Status(values["status"]),
            "stats": None if stats is None else _stats(stats),
        },
    )


def _stats(values: dict[str, Any]) -> RunStats:
    models = values.get("models")
    if models:
        values = {**values, "models": _record(ModelUse, models)}
    return _record(RunStats, values)


def _record(kind: type[Record], values: dict[str, Any]) -> Record:
    names = _NAMES[kind]
    if not values.keys() <= names:
        values = {name: value for name, value in values.items() if name in names}
    return kind(**values)


_NAMES: Final = {
    kind: frozenset(field.name for field in fields(kind))
    for kind in (ExecutionRecord, NodeRecord, RunStats, ModelUse, NodeText, NoticeTold)
}
