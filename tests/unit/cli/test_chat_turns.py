"""How the frames of a turn become words, whatever a server sends."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from backend.cli.chat_turns import Turn
from backend.cli.client import Server
from backend.core.errors import BadRequest

RUN = {"x-graph-id": "g/1", "x-graph-exec-id": "r"}


class Streams:
    """A server that sends these frames, and refuses everything else."""

    def __init__(self, *frames: Any, headers: Mapping[str, str] = RUN) -> None:
        self.frames = frames
        self.headers = headers
        self.asked: list[str] = []
        self.keys: list[str] = []

    @contextmanager
    def stream(
        self, _path: str, _body: Any, headers: Mapping[str, str]
    ) -> Iterator[tuple[Mapping[str, str], Iterator[Any]]]:
        self.keys.append(headers["Idempotency-Key"])
        yield self.headers, iter(self.frames)

    def ask(self, _method: str, path: str) -> None:
        self.asked.append(path)
        raise BadRequest("no such run")


def turn_of(server: Streams) -> Turn:
    return Turn(cast("Server", server), "/stream", "question")


def delta(text: str) -> Any:
    return {"type": "text-delta", "id": "t", "delta": text}


END = {"type": "text-end", "id": "t"}


def test_each_text_ends_its_line_once() -> None:
    turn = turn_of(Streams(delta("a"), delta(" b"), END, delta(""), END, delta("c\n"), END))

    assert "".join(told.text for told in turn.told()) == "a b\nc\n"
    assert turn.form() == {"text": "a b\nc", "tools": [], "error": None}


def test_tools_are_told_with_what_they_are_given_and_what_they_say() -> None:
    one = {"toolCallId": "1", "toolName": "find"}
    turn = turn_of(
        Streams(
            {"type": "tool-input-available", **one, "input": {"query": "x" * 500}},
            {"type": "tool-output-available", **one, "output": '{"message": "none"}'},
            {"type": "tool-output-available", "toolCallId": "2", "output": "odd", "success": False},
            {"type": "new one"},
            "no frame",
        )
    )

    given, got, odd = (told.text for told in turn.told())

    assert given.startswith('find {"query": "xxx')
    assert len(given) < 200
    assert (got, odd) == ("find: none", "?: odd")
    tools = turn.form()["tools"]
    assert [(tool["output"], tool["success"]) for tool in tools] == [
        ({"message": "none"}, True),
        ("odd", False),
    ]


def test_what_went_wrong_is_kept_with_its_code() -> None:
    turn = turn_of(Streams({"type": "error", "errorText": "No key.", "code": "NOT_CONFIGURED"}))

    assert list(turn.told()) == []
    assert turn.form()["error"] == {"message": "No key.", "code": "NOT_CONFIGURED"}


def test_a_turn_is_stopped_by_its_run_and_a_refusal_is_told() -> None:
    server = Streams(delta("a"))
    turn = turn_of(server)

    turn.stop()
    assert server.asked == []
    next(turn.told())
    turn.stop()

    assert server.asked == ["/api/graphs/g%2F1/executions/r/stop"]
    assert turn.problem == "It could not be stopped: no such run"


def test_each_question_has_a_key_of_its_own() -> None:
    server = Streams()

    for _ in range(2):
        list(turn_of(server).told())

    assert len(set(server.keys)) == 2
