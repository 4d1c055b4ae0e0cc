"""What calls of models need is loaded before the first one, for providers with a key, when nothing runs."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from backend import wiring_credentials
from backend.adapters.models import ProviderModels, client
from backend.adapters.web import GuardedWebClient
from backend.core.credentials import Secret
from backend.core.model_registry import ModelApi, ModelProvider, ModelRegistry

REGISTRY = ModelRegistry(
    providers={
        "openai": ModelProvider(name="openai", title="OpenAI", base_url="https://o.example"),
        "groq": ModelProvider(name="groq", title="Groq", base_url="https://g.example"),
        "anthropic": ModelProvider(
            name="anthropic", title="A", base_url="https://a.example", api=ModelApi.ANTHROPIC
        ),
    }
)


@pytest.fixture
async def web() -> AsyncIterator[GuardedWebClient]:
    made = GuardedWebClient()
    yield made
    await made.aclose()


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[ModelApi]:
    """What was loaded; the real thing takes seconds, and is loaded by other tests."""
    found: list[ModelApi] = []
    monkeypatch.setattr(client, "_load", lambda api, _: found.append(api))
    return found


@pytest.mark.parametrize(
    ("keys", "apis"),
    [((), []), (("openai", "groq"), [ModelApi.OPENAI]), (("anthropic",), [ModelApi.ANTHROPIC])],
)
async def test_only_what_the_operators_keys_are_for_is_loaded(
    web: GuardedWebClient, loaded: list[ModelApi], keys: tuple[str, ...], apis: list[ModelApi]
) -> None:
    models = ProviderModels(REGISTRY, {name: Secret("sk-x") for name in keys}, web)

    await models.warm()
    await models.warm()

    assert loaded == apis


async def test_it_waits_until_nothing_runs(
    web: GuardedWebClient, loaded: list[ModelApi], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring_credentials, "WARM_AFTER_S", 0.001)
    models = ProviderModels(REGISTRY, {"openai": Secret("sk-x")}, web)
    looks: list[int] = []

    def busy() -> int:
        looks.append(len(loaded))
        return len(looks) < 5

    async with asyncio.timeout(20):
        await wiring_credentials.warm_when_idle(models, busy)

    assert (looks, loaded) == ([0] * 5, [ModelApi.OPENAI])
