"""Whose turn it is in a conversation that goes round through a graph: the model's, or its tools'.

A block that takes turns hands its conversation on, and a tool's output comes back by another link.
Its next execution is ready when both are there (spec/semantics.md 6.9, wiring rules).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

HISTORY: Final = "conversation_history"
TOOL_OUTPUT: Final = "last_tool_output"
PINS: Final = frozenset({HISTORY, TOOL_OUTPUT})


def wrong_links(linked: Collection[str], static: Collection[str]) -> str | None:
    """Return what is wrong about the links into a block that takes turns; None if nothing is."""
    has_history, has_output = HISTORY in linked, TOOL_OUTPUT in linked
    if has_history != has_output:
        one, other = (HISTORY, TOOL_OUTPUT) if has_history else (TOOL_OUTPUT, HISTORY)
        return f"{one} is linked and {other} is not: both must be, or none"
    if has_output and TOOL_OUTPUT in static:
        return f"{TOOL_OUTPUT} must not come from a static output: each turn has a value of its own"
    return None


def waits_for(
    linked: Collection[str], inputs: Mapping[str, Any], received: Mapping[str, Any]
) -> str | None:
    """Return which of the two pins has to come first; None when it is this block's turn."""
    if HISTORY not in linked:
        return None
    pending = pending_calls(inputs.get(HISTORY))
    if pending and TOOL_OUTPUT not in received:
        return TOOL_OUTPUT
    if TOOL_OUTPUT in received and not pending:
        return HISTORY
    return None


def pending_calls(history: Any) -> list[str]:
    """
    Return the ids of tool calls in *history* that nobody has answered, in their order.

    Calls and answers count in the forms of all providers that the contract knows: ``tool_calls``
    with ``role: tool``, content parts ``tool_use`` with ``tool_result``, and ``function_call``
    with ``function_call_output``.
    """
    calls: dict[str, int] = {}
    for message in history if isinstance(history, list) else ():
        if not isinstance(message, dict):
            continue
        for id_ in _asked(message):
            calls[id_] = calls.get(id_, 0) + 1
        for id_ in _answered(message):
            calls[id_] = calls.get(id_, 0) - 1
    return [id_ for id_, count in calls.items() if count > 0]


def _asked(message: Mapping[str, Any]) -> list[str]:
    found = [call.get("id") for call in _objects(message.get("tool_calls"))]
    parts = [part for part in _objects(message.get("content")) if part.get("type") == "tool_use"]
    found += [part.get("id") for part in parts]
    if message.get("type") == "function_call":
        found.append(message.get("call_id"))
    return [id_ for id_ in found if isinstance(id_, str) and id_]


def _answered(message: Mapping[str, Any]) -> list[str]:
    found: list[Any] = []
    if message.get("role") == "tool":
        found.append(message.get("tool_call_id"))
    parts = [part for part in _objects(message.get("content")) if part.get("type") == "tool_result"]
    found += [part.get("tool_use_id") for part in parts]
    if message.get("type") == "function_call_output":
        found.append(message.get("call_id"))
    return [id_ for id_ in found if isinstance(id_, str) and id_]


def _objects(value: Any) -> Sequence[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else ()
