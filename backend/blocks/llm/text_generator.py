"""AITextGenerator: one question to a language model, one text as its answer."""

from collections.abc import AsyncIterator
from typing import Any

from backend.blocks.llm.asking import Asker, ask_for_text, filled, question, shown
from backend.blocks.llm.choices import (
    COSTS,
    model_credentials,
    model_pin,
    most_tokens_pin,
    ollama_pin,
)
from backend.blocks.llm.samples import KEY
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class AITextGeneratorBlock(Block):
    """Asks a language model, and gives its answer as a text."""

    id = "1f292d4a-41a4-4977-9684-7c8d560b9f91"
    categories = (Category.AI,)
    effect = Effect.READ
    costs = COSTS
    examples = (
        Example(
            inputs={"prompt": "Greet Ada.", "credentials": KEY},
            answers=["Good day, Ada!"],
            outputs=[
                ("response", "Good day, Ada!"),
                ("prompt", [{"role": "user", "content": "Greet Ada."}]),
            ],
        ),
        Example(
            inputs={
                "prompt": "Greet {{ name }}.",
                "sys_prompt": "You speak {{ language }}.",
                "prompt_values": {"name": "Ada", "language": "French"},
                "credentials": KEY,
            },
            answers=["", "Bonjour, Ada !"],
            outputs=[
                ("response", "Bonjour, Ada !"),
                (
                    "prompt",
                    [
                        {"role": "system", "content": "You speak French."},
                        {"role": "user", "content": "Greet Ada."},
                    ],
                ),
            ],
        ),
        Example(inputs={"prompt": " ", "credentials": KEY}, error="the prompt is empty"),
        Example(
            inputs={"prompt": "Hm?", "retry": 2, "credentials": KEY},
            answers=["", " "],
            error="the model's answer was empty",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        prompt: str = pin(
            description="What is asked. With prompt_values, {{ name }} is a gap for one of them."
        )
        model: str = model_pin()
        credentials: dict[str, Any] = model_credentials()
        sys_prompt: str = pin(
            default="", title="System Prompt", description="Who the model is, and how it answers."
        )
        retry: int = pin(
            default=3,
            title="Retry Count",
            description="How often an answer is asked for in all, 10 times at the most.",
        )
        prompt_values: dict[str, str] = pin(
            default_factory=dict,
            advanced=False,
            description="Values for the gaps of prompt and sys_prompt.",
        )
        ollama_host: str = ollama_pin()
        max_tokens: int | None = most_tokens_pin()

    @pins
    class Output:
        """Output pins."""

        response: str = pin(description="The answer.")
        prompt: list[Any] = pin(description="What the model was sent, as messages.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the answer, and what was asked."""
        asker = Asker.of(inputs, context)
        values = inputs.prompt_values
        messages = asker.fitted(
            question(filled(inputs.prompt, values), filled(inputs.sys_prompt, values))
        )
        yield "response", await ask_for_text(asker, messages, tries=inputs.retry, stream=True)
        yield "prompt", shown(messages)
