"""Sandboxes of Monty: a part of Python, interpreted in worker processes that reach nothing."""

import asyncio
from typing import TYPE_CHECKING, Any, Final

from backend.adapters.sandbox.rooms import TIME_SETTING, over
from backend.core import json
from backend.core.block import is_small
from backend.core.errors import NotConfigured, ProcessEnded, Unavailable
from backend.core.json import Json, NotJson
from backend.ports.sandbox import CodeOutcome, CodeStep, SandboxLimits

if TYPE_CHECKING:
    import pydantic_monty

_MEGABYTE: Final = 1024 * 1024
#: What a host of Monty raises for what it does not know.
_PART: Final = (
    "this server's sandbox runs a part of Python (no packages, no files, no class inheritance); "
    "with bubblewrap installed it runs all of it (setting CODE_SANDBOX)"
)
_UNKNOWN: Final = ("NotImplementedError", "ModuleNotFoundError", "is not supported", "SyntaxError")


class Monty:
    """See backend.adapters.sandbox.rooms.Maker."""

    def __init__(self, limits: SandboxLimits) -> None:
        self._limits = limits
        self._pool: Any = None
        self._starting = asyncio.Lock()

    async def start(self, life_s: float) -> "MontySession":
        """See the protocol."""
        import pydantic_monty  # noqa: PLC0415 - on first use

        async with self._starting:
            if self._pool is None:
                most = self._limits.count + self._limits.kept
                pool = pydantic_monty.AsyncMonty(
                    min_processes=1,
                    max_processes=most,
                    max_checkouts_per_worker=100,
                    checkout_timeout=30.0,
                )
                self._pool = await pool.__aenter__()
        checkout = self._pool.checkout(
            script_name="code.py",
            limits={
                "max_feed_duration_secs": min(life_s, self._limits.time_s),
                "max_memory": self._limits.memory_bytes,
                "max_total_sleep_secs": min(life_s, self._limits.time_s),
            },
        )
        try:
            return MontySession(checkout, await checkout.__aenter__(), self._limits)
        except (TimeoutError, pydantic_monty.MontyError) as exc:
            raise Unavailable("no worker of the sandbox is free") from exc

    async def close(self) -> None:
        """See the protocol."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.__aexit__(None, None, None)


class MontySession:
    """See backend.adapters.sandbox.rooms.Session."""

    def __init__(
        self, checkout: Any, session: "pydantic_monty.AsyncMontySession", limits: SandboxLimits
    ) -> None:
        self._checkout = checkout
        self._session = session
        self._limits = limits
        self._ended = False

    async def run(self, step: CodeStep, *, time_s: float) -> CodeOutcome:
        """See the protocol."""
        import pydantic_monty  # noqa: PLC0415 - on first use

        if step.language != "python":
            raise NotConfigured(f"{step.language} cannot be run here: {_PART}")
        printed = _Printed(self._limits.output_bytes)
        error, value = None, None
        try:
            async with asyncio.timeout(time_s):
                value = await self._fed(step.code, printed)
        except TimeoutError as exc:
            raise self._too_long(time_s) from exc
        except pydantic_monty.MontyError as exc:
            error = self._words(exc, time_s)
        return CodeOutcome(
            stdout="".join(printed.stdout),
            stderr="".join(printed.stderr),
            results=() if value is None else (self._shown(value),),
            error=error,
        )

    async def end(self) -> None:
        """See the protocol."""
        if not self._ended:
            self._ended = True
            await self._checkout.__aexit__(None, None, None)

    async def _fed(self, code: str, printed: "_Printed") -> Any:
        """Return what *code* comes to. It is not waited for once it has printed too much."""
        feeding = asyncio.ensure_future(self._session.feed_run(code, print_callback=printed.take))
        full = asyncio.ensure_future(printed.full.wait())
        try:
            await asyncio.wait([feeding, full], return_when=asyncio.FIRST_COMPLETED)
            if printed.full.is_set():
                raise self._too_much()
            return feeding.result()
        finally:
            for task in (feeding, full):
                task.cancel()
            await asyncio.wait([feeding, full])

    def _words(self, error: Any, time_s: float) -> str:
        """Return what the code raised. Raises ProcessEnded if a limit did."""
        said = str(error)
        if "time limit exceeded" in said:
            raise self._too_long(time_s) from error
        if "memory limit exceeded" in said:
            most = self._limits.memory_bytes / _MEGABYTE
            what = f"it needs more than {most:g} MB of memory"
            raise over(what, "CODE_SANDBOX_MEMORY_MB") from error
        if not hasattr(error, "display"):
            raise ProcessEnded(f"the sandbox ended before its code did: {said[:500]}") from error
        words: str = error.display()
        if any(word in words for word in _UNKNOWN):
            words = f"{words}\n{_PART}"
        return words[-64 * 1024 :]

    def _shown(self, value: Any) -> dict[str, Json]:
        """Return the last expression in the formats that it has."""
        try:
            plain = json.loads(json.dumps(value))
            if not is_small(plain, self._limits.output_bytes):
                raise self._too_much()
        except NotJson:
            plain = None
        try:
            text = repr(value)
        except (ValueError, RecursionError):
            text = f"<{type(value).__name__}>"  # a number of thousands of digits, a deep nesting
        if len(text) > self._limits.output_bytes:
            raise self._too_much()
        return {"text": text, "json": plain} if isinstance(plain, dict | list) else {"text": text}

    def _too_long(self, time_s: float) -> ProcessEnded:
        return over(f"it needs more than {time_s:.3g} s", TIME_SETTING)

    def _too_much(self) -> ProcessEnded:
        most = self._limits.output_bytes / 1024
        return over(f"its output is larger than {most:g} KB", "CODE_SANDBOX_OUTPUT_KB")


class _Printed:
    """What was printed, up to a limit."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._loop = asyncio.get_running_loop()
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self.full = asyncio.Event()

    def take(self, stream: str, text: str) -> None:
        """Take *text*; called from whatever thread Monty likes."""
        self._left -= len(text.encode("utf-8", "replace"))
        if self._left < 0:
            self._loop.call_soon_threadsafe(self.full.set)
        else:
            (self.stderr if stream == "stderr" else self.stdout).append(text)
