"""Plays e2b: its API, and the program that runs code inside a sandbox."""

import json
from typing import Any

from backend.testing.standin.messages import KEY, Asked, Reply


class E2b:
    """Knows the sandboxes that it has started. Code that says `raise` fails; other code prints."""

    def __init__(self) -> None:
        self._started = 0
        self.alive: set[str] = set()

    def answer(self, asked: Asked) -> Reply:
        """Answer as the API, or as a sandbox does."""
        place, _, rest = asked.path.lstrip("/").partition("/")
        if place.startswith("49999-"):
            return self._inside(place.removeprefix("49999-"), rest, asked)
        if asked.headers.get("x-api-key") != KEY:
            return Reply(status=401, value={"code": 401, "message": "Invalid API key"})
        if asked.method == "POST":
            self._started += 1
            sandbox_id = f"sandbox{self._started}"
            self.alive.add(sandbox_id)
            return Reply(status=201, value={"sandboxID": sandbox_id, "templateID": "x"})
        if rest in self.alive:
            self.alive.remove(rest)
            return Reply(status=204, body=b"")
        return _gone()

    def _inside(self, sandbox_id: str, path: str, asked: Asked) -> Reply:
        if sandbox_id not in self.alive or path != "execute":
            return _gone()
        code = asked.json()["code"]
        events: list[dict[str, Any]] = [{"type": "number_of_executions", "execution_count": 1}]
        if "raise" in code:
            error = {"name": "KeyError", "value": "'x'", "traceback": "KeyError: 'x'"}
            events.append({"type": "error", **error})
        else:
            events.append({"type": "stdout", "text": f"ran {code}\n", "timestamp": 1})
            result = {"text": "42", "html": "<b>42</b>", "is_main_result": True}
            events.append({"type": "result", **result})
        body = "".join(json.dumps(event) + "\n" for event in events)
        return Reply(body=body.encode(), media_type="application/x-ndjson")


def _gone() -> Reply:
    return Reply(status=404, value={"code": 404, "message": "sandbox was not found"})
