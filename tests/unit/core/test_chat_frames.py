"""What a client is told of a turn, whatever comes late, twice, or never."""

from typing import Any, Final

from backend.core.chat import MAX_TITLE, ChatMessage, title_of
from backend.core.chat_frames import Frame, TurnFrames
from backend.core.ids import ExecutionId

RUN: Final = ExecutionId("run")
CALL: Final = ("node", 1)


def said(text: str | None = None, *calls: str) -> ChatMessage:
    """Return an answer of the model's; *calls* are names of tools, which are the ids too."""
    body: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        body["tool_calls"] = [
            {"id": name, "type": "function", "function": {"name": name, "arguments": '{"a": 1}'}}
            for name in calls
        ]
    return ChatMessage(number=1, run_id=RUN, body=body)


def gave(name: str, text: str) -> ChatMessage:
    body = {"role": "tool", "tool_call_id": name, "content": text}
    return ChatMessage(number=2, run_id=RUN, body=body)


def kinds(frames: list[Frame]) -> list[str]:
    return [frame["type"] for frame in frames]


def told(frames: list[Frame]) -> list[str]:
    """Return the texts that were told, each by its id."""
    texts: dict[str, str] = {}
    for frame in frames:
        if frame["type"] == "text-delta":
            texts[frame["id"]] = texts.get(frame["id"], "") + frame["delta"]
    return list(texts.values())


def test_an_answer_that_came_in_pieces_is_told_once() -> None:
    turn = TurnFrames(RUN)

    frames = turn.piece(CALL, 0, "Hel") + turn.piece(CALL, 3, "lo")
    frames += turn.message(said("Hello you")) + turn.end()

    assert kinds(frames) == [
        *("start", "text-start", "text-delta", "text-delta", "text-delta", "text-end", "finish")
    ]
    assert told(frames) == ["Hello you"]
    assert len({frame["id"] for frame in frames if "id" in frame}) == 1


def test_an_answer_of_which_nothing_came_is_told_whole() -> None:
    turn = TurnFrames(RUN)

    frames = turn.message(said("Hello")) + turn.end()

    assert kinds(frames) == ["start", "text-start", "text-delta", "text-end", "finish"]


def test_a_call_of_a_tool_begins_a_new_message_after_it() -> None:
    turn = TurnFrames(RUN)

    frames = turn.message(said(None, "find"))
    frames += turn.message(gave("find", '{"type": "error", "message": "no"}'))
    frames += turn.message(said("Nothing.")) + turn.end()

    assert kinds(frames) == [
        *("start", "tool-input-start", "tool-input-available", "tool-output-available"),
        *("start", "text-start", "text-delta", "text-end", "finish"),
    ]
    assert frames[2] == {
        "type": "tool-input-available",
        "toolCallId": "find",
        "toolName": "find",
        "input": {"a": 1},
    }
    assert frames[3] == {
        "type": "tool-output-available",
        "toolCallId": "find",
        "toolName": "find",
        "output": '{"type": "error", "message": "no"}',
        "success": False,
    }
    starts = [frame["messageId"] for frame in frames if frame["type"] == "start"]
    assert len(set(starts)) == 2


def test_an_answer_that_is_asked_for_again_is_told_anew() -> None:
    turn = TurnFrames(RUN)

    frames = turn.piece(CALL, 0, "Once upon") + turn.piece(("node", 2), 0, "Well")
    frames += turn.message(said("Well, no.")) + turn.end()

    assert told(frames) == ["Once upon", "Well, no."]
    assert kinds(frames).count("start") == 1


def test_a_lost_piece_is_made_good_by_the_message() -> None:
    turn = TurnFrames(RUN)

    frames = turn.piece(CALL, 0, "a") + turn.piece(CALL, 2, "c") + turn.message(said("abc"))

    assert told(frames) == ["abc"]


def test_a_message_that_is_another_text_stands_alone() -> None:
    turn = TurnFrames(RUN)

    frames = turn.piece(CALL, 0, "draft") + turn.message(said("The answer"))

    assert told(frames) == ["draft", "The answer"]


def test_a_piece_that_comes_after_its_message_is_passed_over() -> None:
    turn = TurnFrames(RUN)
    turn.message(said("Hello", "find"))

    assert turn.piece(CALL, 0, "Hel") == []
    assert turn.piece(CALL, 3, "lo") == []
    assert told(turn.piece(CALL, 0, "Now")) == ["Now"]


def test_a_piece_may_begin_behind_a_message_that_nobody_has_read_yet() -> None:
    turn = TurnFrames(RUN)
    turn.piece(CALL, 0, "Let me look")

    assert turn.is_behind(CALL, 0)
    assert not turn.is_behind(CALL, 11)


def test_what_the_model_says_with_the_output_of_a_tool_begins_behind_the_output() -> None:
    turn = TurnFrames(RUN)
    turn.message(said("I look.", "find", "read"))
    turn.message(gave("find", "[]"))

    assert turn.is_behind(CALL, 0)
    turn.message(gave("read", "{}"))
    assert not turn.is_behind(CALL, 0)


def test_what_went_wrong_is_told_before_the_end() -> None:
    frames = TurnFrames(RUN).end("It broke.", "TURN_FAILED")

    assert frames == [
        {"type": "error", "errorText": "It broke.", "code": "TURN_FAILED"},
        {"type": "finish"},
    ]


def test_a_title_is_the_first_line_and_cut_at_a_word() -> None:
    assert title_of("\n  Find   me \nmore") == "Find me"
    long = title_of("Please find " + "every agent of mine " * 9)
    assert long.endswith("…")
    assert len(long) <= MAX_TITLE
    assert len(title_of("x" * 99)) == MAX_TITLE
    assert title_of("  ") == ""
