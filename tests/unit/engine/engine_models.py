"""A block that asks a model, a model whose answers a test writes, and the graph of both."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backend.core.block import Effect
from backend.core.credentials import Credentials
from backend.core.graph import Graph
from backend.core.models import (
    Message,
    ModelAnswer,
    ModelRequest,
    ModelSpec,
    Role,
    Tokens,
)
from backend.ports.models import OnText
from backend.sdk import BlockContext, pin, pins
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, AnyOutput, Noting, graph

SPECS: Final[Mapping[str, ModelSpec]] = {
    "old": ModelSpec(name="old", provider="p", successor="big"),
    "big": ModelSpec(name="big", provider="p", input_price=2.0, output_price=10.0, max_output=50),
}
TOKENS: Final = Tokens(input=10, output=5)
#: Of one answer with these tokens: 10 * 2 + 5 * 10.
COST: Final = 70


@dataclass
class Scripted:
    """A ModelClient that says what it is told, in order; *hang* it stays silent from then on."""

    answers: deque[str | Exception] = field(default_factory=deque)
    asked: list[tuple[str, str]] = field(default_factory=list)  #: (question, key)
    hang: int = 0  #: the number of the call that never returns; 0: none
    hung: asyncio.Event = field(default_factory=asyncio.Event)
    most_at_once: int = 0
    at_once: int = 0
    pause_s: float = 0.0
    max_tokens: list[int | None] = field(default_factory=list)
    tokens: Tokens = TOKENS

    async def ask(
        self,
        request: ModelRequest,
        credentials: Credentials | None,
        *,
        key: str,
        on_text: OnText | None = None,
    ) -> ModelAnswer:
        del credentials
        self.asked.append((request.messages[-1].text, key))
        self.max_tokens.append(request.max_tokens)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if len(self.asked) == self.hang:
                self.hung.set()
                await asyncio.Event().wait()
            await asyncio.sleep(self.pause_s)
        finally:
            self.at_once -= 1
        said = self.answers.popleft() if self.answers else f"answer {len(self.asked)}"
        if isinstance(said, Exception):
            raise said
        if on_text is not None:
            for word in said.split():
                on_text(word)
        return ModelAnswer(model="big-1", text=said, tokens=self.tokens)

    async def aclose(self) -> None:
        pass


class AskBlock(Noting):
    """Asks a model as often as it is told, each time the same or something else."""

    id = "00000000-0000-4000-8000-00000000000b"
    effect = Effect.KEYED
    Output = AnyOutput

    @pins
    class Input:
        value: Any = pin(description="What is asked.")
        times: int = pin(default=3, description="How often.")
        same: bool = pin(default=False, description="Whether it is the same each time.")
        stream: bool = pin(default=False, description="Whether it is shown as it comes.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        self.note(context)
        said = []
        for number in range(inputs.times):
            text = f"{inputs.value}" if inputs.same else f"{inputs.value} {number}"
            request = ModelRequest(model="old", messages=(Message(role=Role.USER, text=text),))
            answer = await context.language_models().ask(request, stream=inputs.stream)
            said.append(answer.text)
        yield "result", said


def asks(name: str = "asks", **defaults: Any) -> Graph:
    links = "in.result -> does.value\ndoes.result -> out.value"
    return graph(name, {"in": INPUT, "does": ("AskBlock", defaults), "out": OUTPUT}, links)
