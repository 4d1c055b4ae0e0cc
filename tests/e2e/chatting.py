"""A client of the copilot, as the contract has it: asks, and reads the stream."""

import json
import threading
from collections.abc import Iterator
from typing import Any, Final

import httpx2

from tests.e2e.harness import Json, Server, token

LIMIT_S: Final = 60.0


class Chat:
    """One session."""

    def __init__(self, server: Server) -> None:
        self._origin = f"http://127.0.0.1:{server.ports['AgentServer']}"
        self._headers = {"Authorization": f"Bearer {token()}"}
        self._rest = server.rest
        self.id: str = server.rest.post("/chat/sessions")["id"]

    def messages(self) -> list[Json]:
        found: list[Json] = self._rest.get(f"/chat/sessions/{self.id}")["messages"]
        return found

    def ask(self, text: str, *, key: str | None = None) -> "Answer":
        """Ask, and begin to read the answer."""
        headers = self._headers if key is None else {**self._headers, "Idempotency-Key": key}
        return Answer(
            f"{self._origin}/api/chat/sessions/{self.id}/stream", {"message": text}, headers
        )


class Answer:
    """A stream, read in a thread of its own as it comes."""

    def __init__(self, url: str, body: Json, headers: dict[str, str]) -> None:
        self.frames: list[Json] = []
        self.lines: list[str] = []
        self.headers: dict[str, str] = {}
        self.status = 0
        self.error: Exception | None = None
        self._begun = threading.Event()
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(url, body, headers), daemon=True)
        self._thread.start()
        assert self._begun.wait(LIMIT_S)

    def whole(self) -> "Answer":
        """Return it when it has ended."""
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive(), self.frames
        if self.error is not None:
            raise self.error
        return self

    def close(self) -> None:
        """Go away in the middle."""
        self._gone.set()
        self.whole()

    def of(self, kind: str) -> list[Json]:
        return [frame for frame in self.frames if frame["type"] == kind]

    @property
    def kinds(self) -> list[str]:
        """The types of its frames; pieces of one text count once."""
        found: list[str] = []
        for frame in self.frames:
            if frame["type"] != "text-delta" or found[-1:] != ["text-delta"]:
                found.append(frame["type"])
        return found

    @property
    def text(self) -> str:
        return "".join(frame["delta"] for frame in self.of("text-delta"))

    @property
    def outputs(self) -> list[Any]:
        return [json.loads(frame["output"]) for frame in self.of("tool-output-available")]

    def _read(self, url: str, body: Json, headers: dict[str, str]) -> None:
        try:
            with httpx2.stream("POST", url, json=body, headers=headers, timeout=LIMIT_S) as got:
                self.status, self.headers = got.status_code, dict(got.headers)
                self._begun.set()
                for line in _lines(got):
                    if self._gone.is_set():
                        return
                    self.lines.append(line)
                    if line.startswith("data: {"):
                        self.frames.append(json.loads(line.removeprefix("data: ")))
        except Exception as exc:  # noqa: BLE001 - raised where it is waited for
            self.error = exc
        finally:
            self._begun.set()


def _lines(got: Any) -> Iterator[str]:
    yield from got.iter_lines()
