"""e2b: sandboxes of others, for who gives a key. They have a network, and other languages."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.sdk import BlockContext, CodeOutcome, CodeStep, Json, JsonBody, WebLimits, read_json
from backend.sdk.services import Service, path_of

#: What e2b calls the template that runs code.
_TEMPLATE: Final = "code-interpreter-v1"
#: The port at which the program inside a sandbox takes code.
_PORT: Final = 49_999
_SPARE_S: Final = 15.0
_MEGABYTE: Final = 1024 * 1024
_MOST_TEXT: Final = 64 * 1024

_API: Final = Service(provider="e2b", name="e2b", url="https://api.e2b.app", header="X-API-Key")


class E2b:
    """Sandboxes at e2b, on behalf of one node execution."""

    def __init__(self, context: BlockContext, credentials: Mapping[str, Any]) -> None:
        self._context = context
        self._api = _API.calls(context, credentials)

    async def create(self, template: str, timeout_s: int) -> str:
        """Start a sandbox that ends by itself after *timeout_s* seconds; return its id."""
        made = await self._api.object(
            "POST",
            "sandboxes",
            value={"templateID": template or _TEMPLATE, "timeout": timeout_s},
            key=True,
        )
        sandbox_id = made.get("sandboxID")
        if not isinstance(sandbox_id, str) or not _is_id(sandbox_id):
            raise self._api.nonsense("it has no id of a sandbox")
        return sandbox_id

    async def end(self, sandbox_id: str) -> None:
        """End a sandbox."""
        await self._api.send("DELETE", path_of("sandboxes", _checked(sandbox_id)))

    async def run(self, sandbox_id: str, steps: Sequence[CodeStep], timeout_s: int) -> CodeOutcome:
        """Run *steps*, one after the other; what failed is the last. See `Sandboxes.run`."""
        outcome = CodeOutcome()
        for step in steps:
            done = await self._step(_checked(sandbox_id), step, timeout_s)
            outcome = CodeOutcome(
                stdout=outcome.stdout + done.stdout,
                stderr=outcome.stderr + done.stderr,
                results=done.results,
                error=done.error,
            )
            if outcome.error is not None:
                break
        return outcome

    async def _step(self, sandbox_id: str, step: CodeStep, timeout_s: int) -> CodeOutcome:
        host = f"{_PORT}-{sandbox_id}"
        # Each sandbox is a host of its own; the key of the API is nothing to it.
        inside = Service(provider="e2b", name="e2b", url=f"https://{host}.e2b.app", place=host)
        answer = await inside.calls(self._context).send(
            "POST",
            "execute",
            body=JsonBody(value={"code": step.code, "language": step.language}),
            limits=WebLimits(timeout_s=timeout_s + _SPARE_S, max_bytes=16 * _MEGABYTE),
        )
        return _outcome([line for line in answer.text().splitlines() if line.strip()])


def _outcome(lines: Sequence[str]) -> CodeOutcome:
    """Return what a stream of events tells, one on each line."""
    stdout, stderr, results, error = [], [], [], None
    for line in lines:
        event = read_json(line)
        match event.get("type") if isinstance(event, dict) else None:
            case "stdout":
                stdout.append(str(event.get("text", "")))
            case "stderr":
                stderr.append(str(event.get("text", "")))
            case "result":
                formats: dict[str, Json] = {n: v for n, v in event.items() if n != "type"}
                results.append(formats)
            case "error":
                name, value = event.get("name", "Error"), event.get("value", "")
                error = str(event.get("traceback") or f"{name}: {value}")[-_MOST_TEXT:]
            case _:
                continue  # what it counts, and what a later version may say
    return CodeOutcome(
        stdout="".join(stdout), stderr="".join(stderr), results=tuple(results), error=error
    )


def _is_id(text: str) -> bool:
    # It becomes a part of a host's name.
    return re.fullmatch(r"[A-Za-z0-9-]{1,64}", text) is not None


def _checked(sandbox_id: str) -> str:
    if not _is_id(sandbox_id):
        raise ValueError("the id of a sandbox has letters, digits and hyphens only")
    return sandbox_id
