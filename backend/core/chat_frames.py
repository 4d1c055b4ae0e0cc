"""What a client that watches a turn is told, in order: frames of the contract, from what happens (pure).

A message is told when it is on disk. Pieces of text come before, and are a promise that nobody
must keep: where the message turns out to be another one, its text is told anew.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from backend.core import json
from backend.core.chat import ChatMessage
from backend.core.ids import ExecutionId, derived_id
from backend.core.json import NotJson

#: One frame: an object with ``type``.
Frame: TypeAlias = dict[str, Any]

#: Codes of error frames.
NO_KEY: Final = "NOT_CONFIGURED"
FAILED: Final = "TURN_FAILED"
STOPPED: Final = "TURN_STOPPED"
WAITS: Final = "TURN_WAITS"
SERVER_STOPS: Final = "SERVER_STOPS"


class TurnFrames:
    """One turn, as one client is told of it."""

    def __init__(self, run_id: ExecutionId) -> None:
        self._run_id = run_id
        self._starts = 0
        self._texts = 0
        self._is_started = False  # this round's `start` has been told
        self._text_id: str | None = None  # of the text that is open
        self._told = ""  # of it
        self._call: tuple[str, int] | None = None  # which call of the model it comes from
        self._unseen = ""  # the last message's text, if none of it came in pieces
        self._names: dict[str, str] = {}  # of tools, by the ids of calls
        self._unanswered: set[str] = set()  # calls of tools whose output was not told

    def is_behind(self, call: tuple[str, int], offset: int) -> bool:
        """
        Say whether a piece begins a text though there must be messages that were not told yet.

        Another text is open, which its message ends; or a tool was called, and the model says more
        when it has the output.
        """
        is_open = self._text_id is not None and call == self._call
        return offset == 0 and (is_open or bool(self._unanswered))

    def piece(self, call: tuple[str, int], offset: int, text: str) -> list[Frame]:
        """
        Tell a piece of a text that a model is saying.

        Args:
            call: Which call of the model it comes from: the node execution, and the try.
            offset: How many characters of it came before.
        """
        frames: list[Frame] = []
        if offset == 0:
            if self._unseen.startswith(text):
                return []  # it is late: its message has been told
            # Another call of the model says it from its beginning.
            frames += self._close()
            self._call = call
        elif call != self._call or offset != len(self._told):
            return []  # a piece was lost: the message will have all of it
        frames += self._open()
        frames.append({"type": "text-delta", "id": self._text_id, "delta": text})
        self._told += text
        return frames

    def message(self, message: ChatMessage) -> list[Frame]:
        """Tell a message that is on disk."""
        body = message.body
        match body.get("role"):
            case "assistant":
                return self._answer(body)
            case "tool":
                return [self._output(body)]
        return []

    def end(self, problem: str = "", code: str = "") -> list[Frame]:
        """Tell the end of the turn, and what went wrong if something did."""
        frames = self._close()
        if problem:
            frames.append({"type": "error", "errorText": problem, "code": code})
        return [*frames, {"type": "finish"}]

    def _answer(self, body: Mapping[str, Any]) -> list[Frame]:
        text = str(body.get("content") or "")
        frames = self._rest_of(text)
        frames += self._start()
        calls = body.get("tool_calls") or ()
        for call in calls:
            frames += self._input(call)
        self._is_started = False
        return frames

    def _rest_of(self, text: str) -> list[Frame]:
        """Tell what of *text* was not told yet."""
        frames: list[Frame] = []
        self._unseen = text if self._text_id is None else ""
        if self._text_id is not None and not text.startswith(self._told):
            frames += self._close()
        told, self_open = self._told, self._text_id is not None
        rest = text[len(told) :] if self_open else text
        if rest:
            frames += self._open()
            frames.append({"type": "text-delta", "id": self._text_id, "delta": rest})
        return frames + self._close()

    def _input(self, call: Any) -> list[Frame]:
        function = call.get("function") or {}
        id_, name = str(call.get("id") or ""), str(function.get("name") or "")
        self._names[id_] = name
        self._unanswered.add(id_)
        one = {"toolCallId": id_, "toolName": name}
        return [
            {"type": "tool-input-start", **one},
            {"type": "tool-input-available", **one, "input": _arguments(function)},
        ]

    def _output(self, body: Mapping[str, Any]) -> Frame:
        id_, text = str(body.get("tool_call_id") or ""), str(body.get("content") or "")
        self._unanswered.discard(id_)
        return {
            "type": "tool-output-available",
            "toolCallId": id_,
            "toolName": self._names.get(id_) or str(body.get("name") or ""),
            "output": text,
            "success": _kind_of(text) != "error",
        }

    def _start(self) -> list[Frame]:
        if self._is_started:
            return []
        self._is_started = True
        self._starts += 1
        id_ = derived_id(self._run_id, "start", self._starts)
        return [{"type": "start", "messageId": id_}]

    def _open(self) -> list[Frame]:
        if self._text_id is not None:
            return []
        frames = self._start()
        self._texts += 1
        self._text_id = derived_id(self._run_id, "text", self._texts)
        self._told = ""
        return [*frames, {"type": "text-start", "id": self._text_id}]

    def _close(self) -> list[Frame]:
        if self._text_id is None:
            return []
        id_, self._text_id, self._told, self._call = self._text_id, None, "", None
        return [{"type": "text-end", "id": id_}]


def refused(run_id: ExecutionId, problem: str, code: str) -> list[Frame]:
    """Tell that there is no turn, and why."""
    return TurnFrames(run_id).end(problem, code)


def _arguments(function: Mapping[str, Any]) -> Any:
    """Return what a tool is called with; the text as it stands if the model wrote no JSON."""
    text = str(function.get("arguments") or "")
    try:
        return json.loads(text) if text.strip() else {}
    except NotJson:
        return {"text": text}


def _kind_of(output: str) -> Any:
    try:
        told = json.loads(output)
    except NotJson:
        return None
    return told.get("type") if isinstance(told, dict) else None
