"""PerplexityBlock: a question to a model that searches the web, its answer, and what it cites."""

from collections.abc import AsyncIterator, Mapping
from enum import StrEnum
from typing import Any, Final

from backend.blocks.llm.asking import Asker, ask_for_answer, question, require_text
from backend.blocks.llm.choices import most_tokens_pin
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    Source,
    credentials_pin,
    pin,
    pins,
)

_KEY: Final = {"id": "mine", "provider": "open_router", "type": "api_key"}
#: Answers that are asked for until one is not empty.
_TRIES: Final = 3


class PerplexityModel(StrEnum):
    """Who searches."""

    SONAR = "perplexity/sonar"
    SONAR_PRO = "perplexity/sonar-pro"
    SONAR_DEEP_RESEARCH = "perplexity/sonar-deep-research"


class PerplexityBlock(Block):
    """Asks a model of Perplexity, which searches the web before it answers, and says what it cites."""

    id = "c8a5f2e9-8b3d-4a7e-9f6c-1d5e3c9b7a4f"
    categories = (Category.AI, Category.SEARCH)
    effect = Effect.READ
    examples = (
        Example(
            inputs={"prompt": "Is the earth round?", "credentials": _KEY},
            answers=["It is."],
            outputs=[("response", "It is."), ("annotations", [])],
        ),
        Example(inputs={"prompt": " ", "credentials": _KEY}, error="the prompt is empty"),
        Example(
            inputs={"prompt": "Hm?", "credentials": _KEY},
            answers=["", "", " "],
            error="the model's answer was empty",
        ),
        Example(
            inputs={"prompt": "Hm?", "model": "gpt-4o", "credentials": _KEY},
            error="'gpt-4o' is not one of",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        prompt: str = pin(description="What is asked.")
        model: PerplexityModel = pin(
            default=PerplexityModel.SONAR,
            title="Perplexity Model",
            advanced=False,
            description="The model that searches and answers.",
            schema={"enum": [*map(str, PerplexityModel)], "type": "string"},
        )
        credentials: dict[str, Any] = credentials_pin(
            ["open_router"], [CredentialsKind.KEY], description="A key of OpenRouter."
        )
        system_prompt: str = pin(
            default="",
            title="System Prompt",
            advanced=True,
            description="Who the model is, and how it answers.",
        )
        max_tokens: int | None = most_tokens_pin()

    @pins
    class Output:
        """Output pins."""

        response: str = pin(description="The answer.")
        annotations: list[dict[str, Any]] = pin(
            description="What it cites: objects whose url_citation has url, title and, where the"
            " provider sends it, content.",
            schema={
                "items": {"additionalProperties": True, "type": "object"},
                "type": "array",
            },
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the answer, and what it cites."""
        asker = Asker(
            context,
            model=inputs.model,
            credentials=inputs.credentials,
            max_tokens=inputs.max_tokens,
        )
        messages = asker.fitted(question(inputs.prompt, inputs.system_prompt))
        answer = await ask_for_answer(asker, messages, tries=_TRIES, stream=True)
        yield "response", require_text(answer)
        yield "annotations", [_cited(source) for source in answer.sources]


def _cited(source: Source) -> Mapping[str, Any]:
    """Return *source* in the words of the provider."""
    told = {"url": source.url, "title": source.title, "content": source.excerpt}
    return {
        "type": "url_citation",
        "url_citation": {name: text for name, text in told.items() if text},
    }
