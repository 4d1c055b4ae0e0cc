"""Blocks for models that are made for one thing: to search the web, to write code."""

from dataclasses import replace
from typing import Any

from backend.blocks.llm.code_generation import CodeGenerationBlock
from backend.blocks.llm.perplexity import PerplexityBlock
from backend.core.models import ModelAnswer, Source
from backend.sdk import Block
from backend.testing.blocks import CONTEXT, outputs_of
from backend.testing.scripted_models import ScriptedModels


async def ran(
    block: Block, models: ScriptedModels, provider: str, **inputs: Any
) -> list[tuple[str, Any]]:
    inputs["credentials"] = {"id": "mine", "provider": provider, "type": "api_key"}
    return await outputs_of(block, inputs, replace(CONTEXT, models=models))


async def test_what_a_searching_model_cites_is_given_in_its_providers_words() -> None:
    cited = (Source(url="https://example.com/a", title="A"), Source(url="https://example.com/b"))
    models = ScriptedModels([ModelAnswer(model="m", text="So it is.", sources=cited)])

    outputs = await ran(
        PerplexityBlock(), models, "open_router", prompt="Is it?", system_prompt="Be brief."
    )

    assert dict(outputs)["annotations"] == [
        {"type": "url_citation", "url_citation": {"url": "https://example.com/a", "title": "A"}},
        {"type": "url_citation", "url_citation": {"url": "https://example.com/b"}},
    ]
    [asked] = models.asked
    assert asked.model == "perplexity/sonar"
    assert [message.text for message in asked.messages] == ["Be brief.", "Is it?"]


async def test_a_model_for_code_is_told_how_long_to_think_and_how_much_to_write() -> None:
    answer = ModelAnswer(model="m", text="x = 1", reasoning="One will do.", id="resp_1")
    models = ScriptedModels([answer])

    outputs = await ran(
        CodeGenerationBlock(), models, "openai", prompt="Set x.", reasoning_effort="high"
    )

    assert outputs == [
        ("response", "x = 1"),
        ("reasoning", "One will do."),
        ("response_id", "resp_1"),
    ]
    [asked] = models.asked
    assert (asked.model, asked.thinking, asked.max_tokens) == ("gpt-5.1-codex", "high", 2048)
    assert models.streamed == [True]
