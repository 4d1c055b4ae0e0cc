"""Worker processes that are none: what they would do is done here, with values that travel as JSON."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from backend.core import json
from backend.core.errors import AgentServerError, BadRequest, BlockError, ProcessFailed
from backend.core.json import Json
from backend.ports.processes import BlockCall
from backend.sdk import BlockContext, make_inputs


class NoProcesses:
    """
    See backend.ports.processes.Processes.

    Nothing can be ended here: it is for code that behaves.
    """

    async def outputs(
        self, call: BlockCall, *, spent: Callable[[float], None]
    ) -> AsyncGenerator[tuple[str, Json], None]:
        """See the port."""
        kind = _named(call.block)
        facts: dict[str, Any] = dict(call.facts)
        now = datetime.fromtimestamp(call.now_us / 1e6, UTC)
        try:
            inputs = make_inputs(kind, _travelled(dict(call.inputs)))
            context = BlockContext(**facts, now=lambda: now, started_us=call.started_us)
            outputs = list(kind().run(inputs, context))
        except BaseException as exc:
            raise _told(exc) from exc
        for name, value in outputs:
            yield name, _travelled(value)
        spent(0.0)

    async def call(self, function: str, arguments: Sequence[Json]) -> Json:
        """See the port."""
        try:
            result = await asyncio.to_thread(_named(function), *_travelled(list(arguments)))
        except BaseException as exc:
            if isinstance(exc, asyncio.CancelledError):
                raise
            raise _told(exc) from exc
        plain: Json = _travelled(result)
        return plain

    async def close(self) -> None:
        """See the port."""


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _travelled(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _told(error: BaseException) -> AgentServerError:
    words = error.reason if isinstance(error, BlockError) else str(error)
    if isinstance(error, ValueError | AgentServerError):
        return BadRequest(words or type(error).__name__)
    if not isinstance(error, Exception):
        words = f"{type(error).__name__} {error}".strip()
    return ProcessFailed(words or "Unknown error occurred")
