"""One question to the copilot over REST, and its answer as it comes: frames made into words."""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from backend.cli.client import Server
from backend.core.errors import AgentServerError

_MOST_INPUT: Final = 120


@dataclass(frozen=True, kw_only=True)
class Told:
    """Something that was told: a piece of the answer, or a line about what is done for it."""

    text: str
    is_text: bool = True


@dataclass(kw_only=True)
class _ToolUse:
    name: str
    input: Any = None
    output: Any = None
    success: bool | None = None


@dataclass
class Turn:
    """
    One question; `told` asks it.

    Attributes:
        problem: What went wrong, in a sentence; empty if nothing did.
        code: Which kind of problem it is.
    """

    running: Server
    path: str
    question: str
    problem: str = ""
    code: str = ""
    _texts: list[str] = field(default_factory=list)
    _tools: dict[str, _ToolUse] = field(default_factory=dict)
    _run: tuple[str, str] | None = None

    def told(self) -> Iterator[Told]:
        """
        Ask, and yield what is told until the turn is over.

        Raises:
            BadRequest: If the question is refused.
            Unavailable: If the server does not answer, or breaks off; the turn may go on there.
        """
        # A question that is sent again by a layer below us is asked once.
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        with self.running.stream(self.path, {"message": self.question}, headers) as (had, frames):
            graph_id, run_id = had.get("x-graph-id"), had.get("x-graph-exec-id")
            self._run = (graph_id, run_id) if graph_id and run_id else None
            for frame in frames:
                told = self._read(frame) if isinstance(frame, dict) else None
                if told is not None:
                    yield told

    def stop(self) -> None:
        """Stop the turn, if it has begun; that it has ended meanwhile is no mistake."""
        if self._run is None:
            return
        graph_id, run_id = (quote(one, safe="") for one in self._run)
        try:
            self.running.ask("POST", f"/api/graphs/{graph_id}/executions/{run_id}/stop")
        except AgentServerError as exc:
            self.problem = f"It could not be stopped: {exc}"

    def form(self) -> dict[str, Any]:
        """Return the whole turn for programs."""
        error = {"message": self.problem, "code": self.code} if self.problem else None
        tools = [
            {"tool": one.name, "input": one.input, "output": one.output, "success": one.success}
            for one in self._tools.values()
        ]
        return {"text": "".join(self._texts).rstrip("\n"), "tools": tools, "error": error}

    def _read(self, frame: Mapping[str, Any]) -> Told | None:
        match frame.get("type"):
            case "text-delta":
                return self._text(str(frame.get("delta") or ""))
            case "text-end":
                # Not every text has words, and some bring the end of their line along.
                said = self._texts[-1:]
                return self._text("\n") if said and not said[0].endswith("\n") else None
            case "tool-input-available":
                return self._begun(frame)
            case "tool-output-available":
                return self._ended(frame)
            case "error":
                self.problem = str(frame.get("errorText") or "It was not answered.")
                self.code = str(frame.get("code") or "")
        return None

    def _text(self, text: str) -> Told | None:
        if not text:
            return None
        self._texts.append(text)
        return Told(text=text)

    def _begun(self, frame: Mapping[str, Any]) -> Told:
        use = _ToolUse(name=str(frame.get("toolName") or "?"), input=frame.get("input"))
        self._tools[str(frame.get("toolCallId"))] = use
        given = json.dumps(use.input, ensure_ascii=False)
        if len(given) > _MOST_INPUT:
            given = given[:_MOST_INPUT] + "…"
        return Told(text=f"{use.name} {given}", is_text=False)

    def _ended(self, frame: Mapping[str, Any]) -> Told:
        name, output = str(frame.get("toolName") or "?"), str(frame.get("output") or "")
        use = self._tools.setdefault(str(frame.get("toolCallId")), _ToolUse(name=name))
        try:
            use.output = json.loads(output)
        except ValueError:
            use.output = output
        use.success = bool(frame.get("success", True))
        said = use.output.get("message") if isinstance(use.output, dict) else use.output
        return Told(text=f"{use.name}: {said}", is_text=False)
