"""Whose turn it is: calls in the forms of several providers, and links that cannot work."""

from typing import Any

import pytest

from backend.core import turns

ASKED = {"role": "assistant", "tool_calls": [{"id": "a"}, {"id": "b"}]}
BOTH = {turns.HISTORY, turns.TOOL_OUTPUT}


@pytest.mark.parametrize(
    ("history", "pending"),
    [
        (None, []),
        ("text", []),
        ([ASKED], ["a", "b"]),
        ([ASKED, {"role": "tool", "tool_call_id": "a"}], ["b"]),
        (
            [
                {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1"}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1"}]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_2"}]},
            ],
            ["toolu_2"],
        ),
        ([{"type": "function_call", "call_id": "x"}], ["x"]),
        ([{"role": "tool", "tool_call_id": "a"}, "odd", {"tool_calls": [{"id": 7}, None]}], []),
    ],
)
def test_a_call_is_pending_until_it_is_answered(history: Any, pending: list[str]) -> None:
    assert turns.pending_calls(history) == pending


@pytest.mark.parametrize(
    ("history", "received", "waits"),
    [
        ([], {}, None),
        ([ASKED], {}, turns.TOOL_OUTPUT),
        ([ASKED], {turns.TOOL_OUTPUT: None}, None),
        ([], {turns.TOOL_OUTPUT: "x"}, turns.HISTORY),
    ],
)
def test_a_turn_begins_when_what_was_said_and_its_answer_are_there(
    history: list[Any], received: dict[str, Any], waits: str | None
) -> None:
    assert turns.waits_for(BOTH, {turns.HISTORY: history}, received) == waits


def test_links_that_can_never_work_are_named() -> None:
    assert turns.wrong_links(BOTH, ()) is None
    assert turns.wrong_links((), ()) is None
    assert "is not" in (turns.wrong_links({turns.HISTORY}, ()) or "")
    assert "static" in (turns.wrong_links(BOTH, {turns.TOOL_OUTPUT}) or "")
