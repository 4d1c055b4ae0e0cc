"""The spec of clients of language models, over both APIs of OpenAI and that of Anthropic."""

import ssl
from collections.abc import AsyncIterator

import pytest

from backend.adapters.models import ProviderModels
from backend.adapters.web import GuardedWebClient
from backend.core.credentials import Secret
from backend.core.model_registry import ModelApi, ModelRegistry
from backend.core.model_registry import ModelProvider as Place
from backend.core.models import Message, ModelRequest, ModelSpec, Role, Thinking
from backend.testing.models import ModelClientSpec, ModelsUnderTest
from backend.testing.providers import Answer, ModelProvider

#: Made once: reading the certificates takes longer than a test.
TLS = ssl.create_default_context()


def registry_at(provider: ModelProvider, name: str, *, responses: bool = False) -> ModelRegistry:
    specs = [
        ModelSpec(name="able-model", provider=name, json_schema=True, responses=responses),
        ModelSpec(name="plain-model", provider=name, responses=responses),
    ]
    place = Place(
        name=name,
        title=name.title(),
        base_url="https://example.com",
        api=ModelApi.ANTHROPIC if name == "anthropic" else ModelApi.OPENAI,
        key_setting=f"{name.upper()}_API_KEY",
    )
    registry = ModelRegistry(models={spec.name: spec for spec in specs}, providers={name: place})
    return registry.with_addresses(provider.base_urls(name))


@pytest.fixture(params=["openai", "anthropic", "openai responses"])
async def models(request: pytest.FixtureRequest) -> AsyncIterator[ModelsUnderTest]:
    name, _, api = request.param.partition(" ")
    with ModelProvider() as provider, ModelProvider() as strange:
        web = GuardedWebClient(tls=TLS)
        client = ProviderModels(registry_at(provider, name, responses=bool(api)), {}, web)
        yield ModelsUnderTest(
            client=client,
            provider=provider,
            model="able-model",
            plain_model="plain-model",
            name=name,
            strange_url=strange.base_url("openai"),
        )
        await client.aclose()
        await web.aclose()


class TestProviderModels(ModelClientSpec):
    pass


@pytest.fixture(params=[False, True], ids=["chat", "responses"])
async def at_openai(request: pytest.FixtureRequest) -> AsyncIterator[ModelsUnderTest]:
    with ModelProvider() as provider:
        web = GuardedWebClient(tls=TLS)
        registry = registry_at(provider, "openai", responses=request.param)
        client = ProviderModels(registry, {}, web)
        yield ModelsUnderTest(
            client=client,
            provider=provider,
            model="able-model",
            plain_model="plain-model",
            name="openai",
            strange_url="",
        )
        await client.aclose()
        await web.aclose()


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_a_searching_model_cites_is_told(
    at_openai: ModelsUnderTest,
    streamed: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    cited = [("https://example.com/a", "A"), ("https://example.com/b", "B")]
    at_openai.provider.script(Answer(text="So it is.", sources=cited))

    answer = await at_openai.ask(stream=[] if streamed else None)

    assert answer.text == "So it is."
    assert [(source.url, source.title) for source in answer.sources] == cited


async def test_how_long_to_think_is_sent_if_somebody_says_so(at_openai: ModelsUnderTest) -> None:
    await at_openai.ask()
    await at_openai.ask(thinking=Thinking.HIGH)

    efforts = [
        asked.body.get("reasoning_effort") or (asked.body.get("reasoning") or {}).get("effort")
        for asked in at_openai.provider.asked
    ]
    assert efforts == [None, "high"]


async def test_the_responses_api_keeps_nothing(at_openai: ModelsUnderTest) -> None:
    await at_openai.ask()

    [asked] = at_openai.provider.asked
    assert asked.body.get("store") is (False if asked.wire == "responses" else None)


async def test_the_operators_key_goes_to_the_providers_address_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-environment")
    with ModelProvider() as provider, ModelProvider() as other:
        web = GuardedWebClient([other.origin], tls=TLS)
        keys = {"groq": Secret("sk-of-the-operator")}
        client = ProviderModels(registry_at(provider, "groq"), keys, web)
        asked = ModelRequest(
            model="able-model", messages=(Message(role=Role.USER, text="hello"),), timeout_s=20
        )
        elsewhere = ModelRequest(
            model="any",
            messages=asked.messages,
            base_url=other.base_url("local"),
            timeout_s=20,
        )

        await client.ask(asked, None, key="k")
        answer = await client.ask(elsewhere, None, key="k")

        await client.aclose()
        await web.aclose()
    assert provider.requests[0].headers["authorization"] == "Bearer sk-of-the-operator"
    assert answer.text == "You said: hello"
    assert "authorization" not in other.requests[0].headers
    for request in (*provider.requests, *other.requests):
        assert "environment" not in str(request.headers)
