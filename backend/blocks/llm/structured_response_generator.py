"""AIStructuredResponseGenerator: a language model's answer as an object with the keys asked for."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from backend.blocks.llm.asking import Asker, ask_for_text, filled, question, shown
from backend.blocks.llm.choices import (
    COSTS,
    model_credentials,
    model_pin,
    most_tokens_pin,
    ollama_pin,
)
from backend.blocks.llm.conversing import messages_of
from backend.blocks.llm.forms import form_of, instructions, read_form
from backend.blocks.llm.repairing import ask_until_right
from backend.blocks.llm.samples import KEY
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    Effect,
    Example,
    Message,
    Role,
    pin,
    pins,
)

_FORMAT: Final = {"name": "a first name", "age": "in years"}


class AIStructuredResponseGeneratorBlock(Block):
    """Asks a language model, and gives its answer as an object with the keys that you name."""

    id = "ed55ac19-356e-4243-a6cb-bc599e9b716f"
    categories = (Category.AI,)
    effect = Effect.READ
    costs = COSTS
    examples = (
        Example(
            inputs={"prompt": "Hi", "expected_format": {}, "credentials": KEY},
            answers=["Hello!"],
            outputs=[
                ("response", {"response": "Hello!"}),
                ("prompt", [{"role": "user", "content": "Hi"}]),
            ],
        ),
        Example(
            inputs={"prompt": "Who?", "expected_format": _FORMAT, "credentials": KEY},
            answers=[
                "I would say Ada.",
                'She is 36:\n```json\n{"name": "Ada", "age": 36}\n```',
            ],
            outputs=[
                ("response", {"name": "Ada", "age": 36}),
                (
                    "prompt",
                    [
                        {
                            "role": "system",
                            "content": instructions(_FORMAT, many=False, only_json=False),
                        },
                        {"role": "user", "content": "Who?"},
                    ],
                ),
            ],
        ),
        Example(
            inputs={
                "prompt": "Who?",
                "expected_format": _FORMAT,
                "retry": 2,
                "credentials": KEY,
            },
            answers=['{"name": "Ada"}', "Still no age."],
            error="no usable answer in 2 tries: there is no JSON in the answer",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        prompt: str = pin(
            description="What is asked. With prompt_values, {{ name }} is a gap for one of them."
        )
        expected_format: dict[str, str] = pin(
            description="The keys of the answer, each with what its value shall be."
        )
        list_result: bool = pin(
            default=False, description="Any number of such objects, in a list, instead of one."
        )
        model: str = model_pin()
        force_json_output: bool = pin(
            default=False,
            title="Restrict LLM to pure JSON output",
            description="The model may write nothing but JSON, not even its thoughts.",
        )
        credentials: dict[str, Any] = model_credentials()
        sys_prompt: str = pin(
            default="", title="System Prompt", description="Who the model is, and how it answers."
        )
        conversation_history: list[dict[str, Any]] | None = pin(
            default_factory=list, description="Messages that come before the prompt."
        )
        retry: int = pin(
            default=3,
            title="Retry Count",
            description=(
                "How many answers the model may give until one is right, 10 at the most; it is told"
                " what was wrong with the last."
            ),
        )
        prompt_values: dict[str, str] = pin(
            default_factory=dict,
            advanced=False,
            description="Values for the gaps of prompt and sys_prompt.",
        )
        max_tokens: int | None = most_tokens_pin()
        compress_prompt_to_fit: bool = pin(
            default=True,
            description=(
                "What is too long for the model loses its oldest messages, then the middle of its"
                " longest texts. If false, the provider is asked all the same."
            ),
        )
        ollama_host: str = ollama_pin()

    @pins
    class Output:
        """Output pins."""

        response: dict[str, Any] | list[dict[str, Any]] = pin(
            description="The answer: an object, or a list of such."
        )
        prompt: list[Any] = pin(description="What the model was sent, as messages.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the answer, and what was asked."""
        asker = Asker.of(inputs, context)
        messages = _messages(inputs)
        if inputs.compress_prompt_to_fit:
            messages = asker.fitted(messages)
        response: Any
        if not inputs.expected_format:
            text = await ask_for_text(asker, messages, tries=inputs.retry, stream=True)
            response = {"response": text}
        else:
            form = form_of(inputs.expected_format, many=inputs.list_result)
            response = await ask_until_right(
                asker,
                messages,
                lambda text: read_form(text, inputs.expected_format, many=inputs.list_result),
                tries=inputs.retry,
                schema=form if inputs.force_json_output else None,
                stream=True,
            )
        yield "response", response
        yield "prompt", shown(messages)


def _messages(inputs: Any) -> list[Message]:
    values: Mapping[str, str] = inputs.prompt_values
    system = filled(inputs.sys_prompt, values)
    if inputs.expected_format:
        wanted = instructions(
            inputs.expected_format, many=inputs.list_result, only_json=inputs.force_json_output
        )
        system = f"{system}\n\n{wanted}" if system.strip() else wanted
    asked = question(filled(inputs.prompt, values), system)
    history = messages_of(inputs.conversation_history or [])
    # What the system says comes first, and the prompt last.
    return [
        *(message for message in asked if message.role is Role.SYSTEM),
        *history,
        *(message for message in asked if message.role is not Role.SYSTEM),
    ]
