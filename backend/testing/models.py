"""The spec of clients of language models, against the stand-in for their providers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from backend.core.credentials import ApiKeyCredentials, Secret
from backend.core.errors import (
    BadRequest,
    ModelLimited,
    NotConfigured,
    NotFound,
    WebClientError,
    WebFailed,
    WebRefused,
    WebServerError,
    WebTimedOut,
)
from backend.core.ids import CredentialsId
from backend.core.models import (
    Finish,
    Message,
    ModelAnswer,
    ModelRequest,
    Role,
    Tokens,
    Tool,
    ToolCall,
    ToolChoice,
)
from backend.ports.models import ModelClient
from backend.testing.providers import (
    Answer,
    BrokenAnswer,
    Call,
    ModelProvider,
    Refusal,
    Scripted,
    Silence,
)

_ADD = Tool(
    name="add",
    description="Adds.",
    parameters={
        "type": "object",
        "properties": {"a": {"type": "integer"}, "note": {"type": "string"}},
        "required": ["a"],
    },
)
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


@dataclass(frozen=True, kw_only=True)
class ModelsUnderTest:
    """
    A client whose registry has its models at *provider*; the fixture closes both.

    Attributes:
        model: One that gives JSON by a schema natively; *plain_model* one that does not.
        name: Of the provider of both.
        strange_url: Of an OpenAI-compatible server that nobody trusts, on loopback.
    """

    client: ModelClient
    provider: ModelProvider
    model: str
    plain_model: str
    name: str
    strange_url: str

    async def ask(
        self, text: str = "hello", *, stream: Sequence[str] | None = None, **facts: Any
    ) -> ModelAnswer:
        """Ask with the user's own key; pieces of the answer are put into the list *stream*."""
        facts.setdefault("messages", (Message(role=Role.USER, text=text),))
        facts.setdefault("model", self.model)
        credentials = facts.pop("credentials", self.credentials())
        on_text = stream.append if isinstance(stream, list) else None
        request = ModelRequest(**{"timeout_s": 20.0, **facts})
        return await self.client.ask(request, credentials, key="key-1", on_text=on_text)

    def credentials(self, provider: str = "", key: str = "sk-canary-of-user") -> ApiKeyCredentials:
        """Return a user's key for *provider*, by default the one of the models."""
        return ApiKeyCredentials(
            id=CredentialsId("c"), provider=provider or self.name, api_key=Secret(key)
        )


class ModelClientSpec:
    """Give a fixture `models` that returns a `ModelsUnderTest`; every test must pass."""

    async def test_an_answer_has_text_tokens_and_the_name_of_its_model(
        self, models: ModelsUnderTest
    ) -> None:
        models.provider.script(
            Answer(text="Paris.", input_tokens=100, output_tokens=7, cached_tokens=40)
        )

        answer = await models.ask("Capital of France?")

        assert answer.text == "Paris."
        assert answer.tokens == Tokens(input=100, output=7, cached=40)
        assert (answer.finish, answer.model) == (Finish.STOP, models.model)

    async def test_the_same_key_goes_with_each_repetition(self, models: ModelsUnderTest) -> None:
        await models.ask()
        await models.ask()

        assert len(models.provider.asked_with("key-1")) == 2

    async def test_a_stream_tells_each_piece_and_is_the_same_answer(
        self, models: ModelsUnderTest
    ) -> None:
        said = Answer(text="one two three", input_tokens=10, output_tokens=3, cached_tokens=2)
        models.provider.script(said, said)
        pieces: list[str] = []

        streamed = await models.ask(stream=pieces)
        whole = await models.ask()

        assert pieces == ["one ", "two ", "three"]
        assert streamed.id
        assert replace(streamed, id=whole.id) == whole

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_several_tools_are_called_at_once(
        self, models: ModelsUnderTest, streamed: bool
    ) -> None:
        models.provider.script(
            Answer(text="Adding.", calls=(Call("add", {"a": 1}, "x"), Call("add", {"a": 2}, "y")))
        )

        answer = await models.ask(tools=(_ADD,), stream=[] if streamed else None)

        assert [(call.id, call.name) for call in answer.tool_calls] == [("x", "add"), ("y", "add")]
        assert [call.arguments.replace(" ", "") for call in answer.tool_calls] == [
            '{"a":1}',
            '{"a":2}',
        ]
        assert (answer.finish, answer.text) == (Finish.TOOLS, "Adding.")

    async def test_a_conversation_with_tools_goes_out_whole(self, models: ModelsUnderTest) -> None:
        calls = (
            ToolCall(id="x", name="add", arguments='{"a": 1}'),
            ToolCall(id="y", name="add", arguments='{"a": 2}'),
        )
        messages = (
            Message(role=Role.SYSTEM, text="Be brief."),
            Message(role=Role.USER, text="Add."),
            Message(role=Role.ASSISTANT, text="I do.", tool_calls=calls),
            Message(role=Role.TOOL, text="one", tool_call_id="x"),
            Message(role=Role.TOOL, text="two", tool_call_id="y"),
            Message(role=Role.USER, text="And?"),
        )

        await models.ask(messages=messages, tools=(_ADD,), tool_choice=ToolChoice.NONE)

        [asked] = models.provider.asked
        assert [(turn.role, turn.text, turn.call_id) for turn in asked.heard] == [
            ("system", "Be brief.", ""),
            ("user", "Add.", ""),
            ("assistant", "I do.", ""),
            ("tool", "one", "x"),
            ("tool", "two", "y"),
            ("user", "And?", ""),
        ]
        assert [call[0] for call in asked.heard[2].calls] == ["x", "y"]
        assert asked.tools["add"]["required"] == ["a"]

    async def test_arguments_that_are_no_json_can_be_sent_back(
        self, models: ModelsUnderTest
    ) -> None:
        broken = (ToolCall(id="x", name="add", arguments='{"a": '),)
        messages = (
            Message(role=Role.USER, text="Add."),
            Message(role=Role.ASSISTANT, tool_calls=broken),
            Message(role=Role.TOOL, text="the arguments are no JSON", tool_call_id="x"),
        )

        answer = await models.ask(messages=messages, tools=(_ADD,))

        assert answer.text.startswith("You said")

    async def test_what_bounds_an_answer_is_sent(self, models: ModelsUnderTest) -> None:
        await models.ask(tools=(_ADD,), tool_choice=ToolChoice.REQUIRED, max_tokens=77)

        [asked] = models.provider.asked
        assert asked.tool_choice == "required"
        limits = ("max_tokens", "max_completion_tokens", "max_output_tokens")
        assert 77 in [asked.body.get(name) for name in limits]

    async def test_a_schema_is_demanded_natively_where_the_model_can(
        self, models: ModelsUnderTest
    ) -> None:
        answer = await models.ask(json_schema=_SCHEMA)

        [asked] = models.provider.asked
        assert asked.schema is not None
        assert asked.schema["properties"].keys() == {"city"}
        assert answer.text.startswith('{"city":')

    async def test_a_schema_is_asked_for_in_words_where_it_cannot(
        self, models: ModelsUnderTest
    ) -> None:
        models.provider.script(Answer(text='```json\n{"city": "Oslo"}\n```'))

        answer = await models.ask(model=models.plain_model, json_schema=_SCHEMA)

        [asked] = models.provider.asked
        assert asked.schema is None
        assert '"additionalProperties": false' in asked.text
        assert answer.text == '{"city": "Oslo"}'

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_reasoning_is_kept_apart(self, models: ModelsUnderTest, streamed: bool) -> None:
        models.provider.script(Answer(text="42", reasoning="I think."))

        answer = await models.ask(stream=[] if streamed else None)

        assert (answer.text, answer.reasoning) == ("42", "I think.")

    @pytest.mark.parametrize(
        ("said", "meant"), [("length", Finish.LENGTH), ("content_filter", Finish.FILTERED)]
    )
    async def test_how_an_answer_ended_is_told(
        self, models: ModelsUnderTest, said: str, meant: Finish
    ) -> None:
        models.provider.script(Answer(text="half", finish=said))

        assert (await models.ask()).finish is meant

    @pytest.mark.parametrize("status", [429, 503, 529])
    async def test_who_asks_to_wait_is_not_asked_again_here(
        self, models: ModelsUnderTest, status: int
    ) -> None:
        models.provider.script(Refusal(status, retry_after="3.5"), Refusal(status))

        with pytest.raises(ModelLimited) as limited:
            await models.ask()
        with pytest.raises(ModelLimited) as vague:
            await models.ask(stream=[])

        assert (limited.value.retry_after_s, vague.value.retry_after_s) == (3.5, None)
        assert len(models.provider.requests) == 2

    async def test_a_date_says_how_long_to_wait(self, models: ModelsUnderTest) -> None:
        soon = datetime.now(UTC) + timedelta(seconds=90)
        models.provider.script(Refusal(429, retry_after=format_datetime(soon, usegmt=True)))

        with pytest.raises(ModelLimited) as limited:
            await models.ask()

        assert limited.value.retry_after_s is not None
        assert 60 < limited.value.retry_after_s <= 90

    async def test_an_empty_account_is_no_reason_to_wait(self, models: ModelsUnderTest) -> None:
        models.provider.script(Refusal(429, "You exceeded your quota", code="insufficient_quota"))

        with pytest.raises(WebClientError) as refused:
            await models.ask()

        assert refused.value.status == 429

    async def test_a_refusal_has_the_words_of_the_provider_but_no_secret(
        self, models: ModelsUnderTest
    ) -> None:
        words = "No such model for sk-canary-of-user. " + "x" * 5000
        models.provider.script(Refusal(404, words))

        with pytest.raises(WebClientError, match="No such model") as refused:
            await models.ask()

        assert refused.value.status == 404
        assert "canary" not in str(refused.value)
        assert len(str(refused.value)) < 700

    async def test_a_failure_is_one_of_the_server(self, models: ModelsUnderTest) -> None:
        models.provider.script(Refusal(500, "Overheated"))

        with pytest.raises(WebServerError, match="Overheated") as failed:
            await models.ask()

        assert failed.value.status == 500
        assert len(models.provider.requests) == 1

    @pytest.mark.parametrize("streamed", [False, True])
    @pytest.mark.parametrize(
        "answer",
        [
            BrokenAnswer(),
            BrokenAnswer(b"<html>a proxy</html>", content_type="text/html"),
            BrokenAnswer(b"{}"),
            BrokenAnswer(b'{"choices": null, "content": null}'),
            BrokenAnswer(breaks_off=True),
            BrokenAnswer(b"data: {nonsense\n\n", content_type="text/event-stream"),
        ],
    )
    async def test_nonsense_is_no_answer(
        self, models: ModelsUnderTest, answer: Scripted, streamed: bool
    ) -> None:
        models.provider.script(answer)

        with pytest.raises(WebFailed):
            await models.ask(stream=[] if streamed else None)

    async def test_a_stream_that_is_cut_is_no_answer(self, models: ModelsUnderTest) -> None:
        models.provider.script(Answer(text="one two three", cut_after=1))
        pieces: list[str] = []

        with pytest.raises(WebFailed):
            await models.ask(stream=pieces)

        assert pieces == ["one "]

    async def test_silence_ends_with_the_time_limit(self, models: ModelsUnderTest) -> None:
        await models.ask()  # whatever is loaded on first use is there now
        models.provider.script(Silence())

        with pytest.raises(WebTimedOut):
            await models.ask(timeout_s=0.3)

    async def test_who_is_cancelled_leaves_at_once(self, models: ModelsUnderTest) -> None:
        await models.ask()
        models.provider.script(Answer(text="a b c d", piece_pause_s=30))

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await models.ask(stream=[])

    async def test_without_a_key_nothing_is_sent(self, models: ModelsUnderTest) -> None:
        with pytest.raises(NotConfigured, match=r"_API_KEY"):
            await models.ask(credentials=None)

        assert models.provider.requests == []

    async def test_a_key_goes_to_its_own_provider_only(self, models: ModelsUnderTest) -> None:
        with pytest.raises(BadRequest, match="someone_else"):
            await models.ask(credentials=models.credentials("someone_else"))

        assert models.provider.requests == []

    async def test_an_unknown_model_is_not_found(self, models: ModelsUnderTest) -> None:
        with pytest.raises(NotFound, match="no-such-model"):
            await models.ask(model="no-such-model")

    async def test_an_address_that_nobody_allows_is_not_called(
        self, models: ModelsUnderTest
    ) -> None:
        with pytest.raises(WebRefused, match="TRUST_ENDPOINTS_FOR_REQUESTS"):
            await models.ask(model="mine", base_url=models.strange_url)
