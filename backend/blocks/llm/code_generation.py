"""CodeGenerationBlock: a model of OpenAI that is made for code."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any, Final

from backend.blocks.llm.asking import Asker, ask_for_answer, question, require_text
from backend.blocks.llm.choices import cost_with
from backend.blocks.llm.samples import KEY
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    Thinking,
    credentials_pin,
    pin,
    pins,
)

_WHO: Final = (
    "You write programs. Answer with code that is complete and runs as it stands, and with few"
    " words about it."
)
#: Answers that are asked for until one is not empty.
_TRIES: Final = 3


class CodexModel(StrEnum):
    """Who writes."""

    GPT5_1_CODEX = "gpt-5.1-codex"


class ReasoningEffort(StrEnum):
    """How long it thinks first."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class CodeGenerationBlock(Block):
    """Has code written, or changed, by a model of OpenAI that is made for that."""

    id = "86a2a099-30df-47b4-b7e4-34ae5f83e0d5"
    categories = (Category.AI, Category.DEVELOPER_TOOLS)
    effect = Effect.READ
    costs = (cost_with(5, model=CodexModel.GPT5_1_CODEX.value, provider="openai"),)
    examples = (
        Example(
            inputs={"prompt": "Greet Ada, in Python.", "credentials": KEY},
            answers=["print('Good day, Ada!')"],
            outputs=[
                ("response", "print('Good day, Ada!')"),
                ("reasoning", ""),
                ("response_id", ""),
            ],
        ),
        Example(inputs={"prompt": "", "credentials": KEY}, error="there is nothing to write"),
        Example(
            inputs={"prompt": "x", "max_output_tokens": 0, "credentials": KEY},
            error="max_tokens must be at least 1",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        prompt: str = pin(
            description="What is to be written.", placeholder="Sum up a column of a CSV file"
        )
        system_prompt: str = pin(
            default=_WHO,
            title="System Prompt",
            advanced=True,
            description="Who the model is, and how it answers.",
        )
        model: CodexModel = pin(
            default=CodexModel.GPT5_1_CODEX,
            title="Codex Model",
            advanced=False,
            description="The model that writes.",
            schema={"enum": [*map(str, CodexModel)], "type": "string"},
        )
        reasoning_effort: ReasoningEffort = pin(
            default=ReasoningEffort.MEDIUM,
            title="Reasoning Effort",
            description="How long it thinks first.",
            schema={"enum": [*map(str, ReasoningEffort)], "type": "string"},
        )
        max_output_tokens: int | None = pin(
            default=2048,
            title="Max Output Tokens",
            description="The most tokens of the answer, those of its thoughts included.",
        )
        credentials: dict[str, Any] = credentials_pin(
            ["openai"], [CredentialsKind.KEY], description="A key of OpenAI."
        )

    @pins
    class Output:
        """Output pins."""

        response: str = pin(description="The code.")
        reasoning: str = pin(
            default="", description="What it says of its thoughts, if it says anything."
        )
        response_id: str = pin(default="", description="By which OpenAI knows the answer.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the code, and what is known of how it came about."""
        if not inputs.prompt.strip():
            raise ValueError("there is nothing to write: the prompt is empty")
        asker = Asker(
            context,
            model=inputs.model,
            credentials=inputs.credentials,
            max_tokens=inputs.max_output_tokens,
        )
        messages = asker.fitted(question(inputs.prompt, inputs.system_prompt))
        thinking = Thinking(inputs.reasoning_effort.value)
        answer = await ask_for_answer(asker, messages, tries=_TRIES, stream=True, thinking=thinking)
        yield "response", require_text(answer)
        yield "reasoning", answer.reasoning
        yield "response_id", answer.id
