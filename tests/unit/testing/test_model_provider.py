"""The stand-in for providers of models, asked over plain HTTP."""

import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from backend.adapters.web import GuardedWebClient
from backend.core.errors import WebFailed
from backend.ports.web import JsonBody, WebLimits, WebResponse
from backend.testing.providers import (
    Answer,
    BrokenAnswer,
    ModelProvider,
    Refusal,
    Silence,
    instance_of,
)

TOOL = {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}


@pytest.fixture
def provider() -> Iterator[ModelProvider]:
    with ModelProvider() as provider:
        yield provider


@pytest.fixture
async def web(provider: ModelProvider) -> AsyncIterator[GuardedWebClient]:
    client = GuardedWebClient([provider.origin])
    yield client
    await client.aclose()


async def ask(web: GuardedWebClient, provider: ModelProvider, **fields: Any) -> WebResponse:
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}], **fields}
    url = f"{provider.base_url('openai')}/chat/completions"
    limits = WebLimits(timeout_s=fields.pop("limit_s", 10.0))
    return await web.send("POST", url, body=JsonBody(value=body), limits=limits)


async def test_without_a_script_it_echoes(web: GuardedWebClient, provider: ModelProvider) -> None:
    answer = (await ask(web, provider)).json()

    assert answer["choices"][0]["message"]["content"] == "You said: hello"
    assert answer["usage"]["prompt_tokens"] >= 1


async def test_a_script_is_answered_in_its_order(
    web: GuardedWebClient, provider: ModelProvider
) -> None:
    provider.script(Answer(text="one"), Refusal(429, retry_after="2"), BrokenAnswer())

    said, refused, broken = [await ask(web, provider) for _ in range(3)]

    assert said.json()["choices"][0]["message"]["content"] == "one"
    assert (refused.status, refused.header("retry-after")) == (429, "2")
    with pytest.raises(WebFailed):
        broken.json()


async def test_tools_are_called_once_and_then_there_is_text(
    web: GuardedWebClient, provider: ModelProvider
) -> None:
    tools = [{"type": "function", "function": TOOL}]

    called = (await ask(web, provider, tools=tools)).json()["choices"][0]
    call = called["message"]["tool_calls"][0]
    messages = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "3"},
    ]
    ended = (await ask(web, provider, tools=tools, messages=messages)).json()["choices"][0]

    assert called["finish_reason"] == "tool_calls"
    assert json.loads(call["function"]["arguments"]) == {"a": 1}
    assert ended["finish_reason"] == "stop"


async def test_a_tool_answer_without_its_call_is_refused(
    web: GuardedWebClient, provider: ModelProvider
) -> None:
    lonely = [{"role": "tool", "tool_call_id": "nobody", "content": "3"}]

    assert (await ask(web, provider, messages=lonely)).status == 400


async def test_a_schema_gets_an_instance_natively_and_from_a_text(
    web: GuardedWebClient, provider: ModelProvider
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 7}}}
    shape = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    texts = [{"role": "user", "content": f"Answer with JSON like {json.dumps(schema)}"}]

    native = (await ask(web, provider, response_format=shape)).json()
    written = (await ask(web, provider, messages=texts)).json()

    for answer in (native, written):
        assert json.loads(answer["choices"][0]["message"]["content"]) == {"n": 7}


async def test_a_stream_breaks_off_where_it_should(
    web: GuardedWebClient, provider: ModelProvider
) -> None:
    provider.script(Answer(text="one two three"), Answer(text="one two three", cut_after=2))

    whole = (await ask(web, provider, stream=True)).text()

    assert whole.count('"content": "') == 4  # an empty one first
    assert whole.endswith("data: [DONE]\n\n")
    with pytest.raises(WebFailed):
        await ask(web, provider, stream=True)


async def test_keys_are_checked_and_recorded(web: GuardedWebClient) -> None:
    with ModelProvider(keys=["good"]) as provider:
        client = GuardedWebClient([provider.origin])
        url = f"{provider.base_url('anthropic')}/v1/messages"
        body = JsonBody(
            value={"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
        )
        headers = {"anthropic-version": "2023-06-01", "idempotency-key": "k"}
        refused = await client.send("POST", url, headers=headers, body=body)
        let_in = await client.send("POST", url, headers={**headers, "x-api-key": "good"}, body=body)
        await client.aclose()

    assert (refused.status, let_in.status) == (401, 200)
    assert let_in.json()["content"] == [{"type": "text", "text": "You said: hi"}]
    assert [asked.wire for asked in provider.asked_with("k")] == ["anthropic"]


async def test_its_end_ends_who_waits_and_leaves_no_thread(web: GuardedWebClient) -> None:
    before = set(threading.enumerate())
    provider = ModelProvider()
    provider.script(Silence())
    client = GuardedWebClient([provider.origin])
    began = time.monotonic()
    threading.Timer(0.1, provider.close).start()

    with pytest.raises(WebFailed):
        await ask(client, provider)

    await client.aclose()
    provider.close()
    assert time.monotonic() - began < 5
    left = [one for one in set(threading.enumerate()) - before if "stand-in" in one.name]
    assert left == []


@pytest.mark.parametrize(
    ("schema", "instance"),
    [
        ({"enum": ["a", "b"]}, "a"),
        ({"type": "array", "items": {"type": "number"}, "minItems": 2}, [1, 1]),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "boolean"}}}, True),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        (
            {"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {}}}]},
            {"a": 1, "b": "text"},
        ),
        ({"type": "string", "minLength": 6}, "textxx"),
    ],
)
def test_the_smallest_instance_fits_its_schema(schema: dict[str, Any], instance: Any) -> None:
    assert instance_of(schema) == instance
