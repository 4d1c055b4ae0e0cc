"""One call of a language model at its provider, through pydantic-ai over the guarded way out.

The library and the SDKs below it take seconds to import: that is done with the first call, or by
`warm` before it, in a thread. Nothing is repeated here, by none of them.
"""

import asyncio
import gc
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from backend.adapters.models.answers import answer_of, text_of
from backend.adapters.models.errors import told_as_ours
from backend.adapters.models.requests import Call, call_of, make_first_model
from backend.adapters.models.targets import Target, target_of
from backend.adapters.web.client import GuardedWebClient
from backend.core.credentials import Credentials, Secret
from backend.core.errors import WebFailed, WebTimedOut
from backend.core.model_registry import ModelApi, ModelRegistry
from backend.core.models import ModelAnswer, ModelRequest
from backend.ports.models import OnText
from backend.ports.web import MEGABYTE

if TYPE_CHECKING:
    import httpx2

_MAX_ANSWER_BYTES: Final = 32 * MEGABYTE


class ProviderModels:
    """
    See backend.ports.models.ModelClient.

    Args:
        registry: With the addresses that are called.
        keys: The operator's own, by provider.
        web: Whose connections are used; it is not closed with this.
    """

    def __init__(
        self, registry: ModelRegistry, keys: Mapping[str, Secret], web: GuardedWebClient
    ) -> None:
        self._registry = registry
        self._keys = keys
        self._web = web
        self._loading: dict[ModelApi, asyncio.Task[None]] = {}

    async def ask(
        self,
        request: ModelRequest,
        credentials: Credentials | None,
        *,
        key: str,
        on_text: OnText | None = None,
    ) -> ModelAnswer:
        """See the port."""
        target = target_of(request, self._registry, credentials, self._keys)
        await self._loaded(target.provider.api)  # once, and no part of what the call may take
        limit = asyncio.timeout(request.timeout_s)
        try:
            async with limit:
                http = await self._web.library_client(
                    target.trusted_origins, max_bytes=_MAX_ANSWER_BYTES
                )
                # Each call has a client of its own: cookies of a provider are not shared by users.
                async with http:
                    with told_as_ours(target):
                        return await self._ask(request, target, http, key, on_text)
        except TimeoutError as exc:
            if not limit.expired():
                raise
            raise WebTimedOut(f"{target} took longer than {request.timeout_s:g} s") from exc

    async def warm(self) -> None:
        """Load what calls with the operator's keys need; where there are none, nothing."""
        known = self._registry.providers
        apis = {known[name].api for name, key in self._keys.items() if key and name in known}
        for api in sorted(apis):
            await self._loaded(api)

    async def aclose(self) -> None:
        """See the port. The connections belong to the web client."""
        if self._loading:
            await asyncio.wait(self._loading.values())

    async def _loaded(self, api: ModelApi) -> None:
        """Wait until the libraries are there; who waits may be cancelled, the import goes on."""
        if api not in self._loading:
            self._loading[api] = asyncio.create_task(self._load(api))
        await asyncio.shield(self._loading[api])

    async def _load(self, api: ModelApi) -> None:
        async with await self._web.library_client((), max_bytes=_MAX_ANSWER_BYTES) as http:
            await asyncio.to_thread(_load, api, http)

    async def _ask(
        self,
        request: ModelRequest,
        target: Target,
        http: "httpx2.AsyncClient",
        key: str,
        on_text: OnText | None,
    ) -> ModelAnswer:
        from pydantic_ai.direct import model_request  # noqa: PLC0415 -- heavy

        call = call_of(request, target, http, key=key)
        if on_text is not None:
            return answer_of(await _streamed(call, target, on_text), request)
        answer = await model_request(
            call.model,
            call.messages,
            model_settings=call.settings,
            model_request_parameters=call.parameters,
            instrument=False,
        )
        return answer_of(answer, request)


async def _streamed(call: Call, target: Target, on_text: OnText) -> Any:
    from pydantic_ai.direct import model_request_stream  # noqa: PLC0415 -- heavy

    async with model_request_stream(
        call.model,
        call.messages,
        model_settings=call.settings,
        model_request_parameters=call.parameters,
        instrument=False,
    ) as stream:
        async for event in stream:
            if text := text_of(event):
                on_text(text)
        answer = stream.get()
    if answer.finish_reason is None:
        raise WebFailed(f"{target} broke off in the middle of its answer")
    return answer


def _load(api: ModelApi, http: "httpx2.AsyncClient") -> None:
    """Import all that a call over *api* needs; *http* is not used. Twice at once is harmless."""
    # Thousands of classes are made that stay: looking through them meanwhile is a fifth of the time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        import pydantic_ai.direct  # noqa: F401, PLC0415 -- heavy

        # The first of its kind loads as much again, tables of prices above all.
        make_first_model(api, http)
    finally:
        if was_enabled:
            gc.enable()
