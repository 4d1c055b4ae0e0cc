"""Signals as bytes on a broker, between processes that may be of neighbouring versions.

A message is a JSON object. Fields that are not known are ignored, so that one can be added.
"""

from collections.abc import Sequence

from backend.core import json
from backend.core.ids import ExecutionId, UserId
from backend.ports.dispatch import Signal, SignalKind


class BadHint(json.NotJson):
    """A message has not the form of signals."""


def encode(signals: Sequence[Signal]) -> bytes:
    """Return *signals*, all of one kind, as JSON."""
    listed = [[one.run_id, one.user_id] if one.user_id else [one.run_id] for one in signals]
    return json.dumps({signals[0].kind.value: listed})


def decode(message: bytes) -> list[Signal]:
    """
    Undo `encode`. Kinds that only another version knows are left out.

    Raises:
        BadHint: If it cannot be understood.
    """
    try:
        value = json.loads(message)
    except json.NotJson as exc:
        raise BadHint("not JSON") from exc
    if not isinstance(value, dict):
        raise BadHint("not an object")
    return [
        _signal(kind, entry) for kind in SignalKind for entry in _entries(value.get(kind.value, []))
    ]


def _entries(entries: object) -> list[object]:
    if not isinstance(entries, list):
        raise BadHint("not a list of runs")
    return entries


def _signal(kind: SignalKind, entry: object) -> Signal:
    match entry:
        case [str() as run_id] if run_id:
            return Signal(kind, ExecutionId(run_id))
        case [str() as run_id, str() as user_id, *_] if run_id:
            return Signal(kind, ExecutionId(run_id), UserId(user_id))
    raise BadHint("not a run and its user")
