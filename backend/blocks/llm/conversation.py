"""AIConversation: a conversation goes on by one answer."""

from collections.abc import AsyncIterator
from typing import Any

from backend.blocks.llm.asking import Asker, ask_for_text, shown
from backend.blocks.llm.choices import (
    COSTS,
    model_credentials,
    model_pin,
    most_tokens_pin,
    ollama_pin,
)
from backend.blocks.llm.conversing import messages_of
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

#: Answers that are asked for until one is not empty.
_TRIES = 3


class AIConversationBlock(Block):
    """Gives a language model's answer to a conversation, the way it has gone so far."""

    id = "32a87eab-381e-4dd4-bdb8-4c47151be35a"
    categories = (Category.AI,)
    effect = Effect.READ
    costs = COSTS
    examples = (
        Example(
            inputs={
                "messages": [
                    {"role": "system", "content": "You are brief."},
                    {"role": "user", "content": "Which is the largest planet?"},
                    {"role": "assistant", "content": "Jupiter."},
                ],
                "prompt": "And the smallest?",
                "credentials": KEY,
            },
            answers=["Mercury."],
            outputs=[
                ("response", "Mercury."),
                (
                    "prompt",
                    [
                        {"role": "system", "content": "You are brief."},
                        {"role": "user", "content": "Which is the largest planet?"},
                        {"role": "assistant", "content": "Jupiter."},
                        {"role": "user", "content": "And the smallest?"},
                    ],
                ),
            ],
        ),
        Example(inputs={"messages": [], "credentials": KEY}, error="nobody has said anything"),
        Example(
            inputs={"messages": [{"role": "judge", "content": "x"}], "credentials": KEY},
            error="message 1 has the role 'judge'",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        prompt: str = pin(
            default="", advanced=False, description="What the user says now, after all messages."
        )
        messages: list[Any] = pin(
            description="The conversation so far, oldest first: objects with role and content."
        )
        model: str = model_pin(advanced=True)
        credentials: dict[str, Any] = model_credentials()
        max_tokens: int | None = most_tokens_pin()
        ollama_host: str = ollama_pin()

    @pins
    class Output:
        """Output pins."""

        response: str = pin(description="The answer.")
        prompt: list[Any] = pin(
            description="What the model was sent. With the answer behind it, it is the history."
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the answer, and the conversation before it."""
        said = messages_of(inputs.messages)
        if inputs.prompt.strip():
            said.append(Message(role=Role.USER, text=inputs.prompt))
        if not said:
            raise ValueError("nobody has said anything: there are no messages and no prompt")
        asker = Asker.of(inputs, context)
        messages = asker.fitted(said)
        yield "response", await ask_for_text(asker, messages, tries=_TRIES, stream=True)
        yield "prompt", shown(messages)
