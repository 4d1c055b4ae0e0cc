"""Language models that answer as they were told: for examples of blocks, and tests without a network."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from backend.core.errors import WebFailed
from backend.core.models import ModelAnswer, ModelRequest, ModelSpec, Tokens
from backend.core.tokens import estimated_tokens

#: What is answered: a text, a whole answer, an error, or whatever a function makes of the question.
Reply = str | ModelAnswer | Exception | Callable[[ModelRequest], str | ModelAnswer]


class ScriptedModels:
    """
    See backend.sdk.context.Models. Answers with the next of what it was given.

    Attributes:
        asked: All questions, in order.
        lent: The credentials that came with each.
        streamed: Whether each was to be shown as it comes.
    """

    def __init__(
        self, replies: Iterable[Reply] = (), *, specs: Mapping[str, ModelSpec] | None = None
    ) -> None:
        """Take what is answered in turn. Models that *specs* does not name are large and free."""
        self._replies = iter(replies)
        self._specs = dict(specs or {})
        self.asked: list[ModelRequest] = []
        self.lent: list[Mapping[str, Any] | None] = []
        self.streamed: list[bool] = []

    def spec(self, name: str) -> ModelSpec:
        """Return what is known of a model."""
        found = self._specs.get(name)
        return found or ModelSpec(name=name, provider="openai", max_output=32_000)

    async def ask(
        self,
        request: ModelRequest,
        *,
        credentials: Mapping[str, Any] | None = None,
        stream: bool = False,
    ) -> ModelAnswer:
        """
        Return the next answer.

        Raises:
            WebFailed: If there is none left.
            Exception: That which was to be the answer.
        """
        self.asked.append(request)
        self.lent.append(credentials)
        self.streamed.append(stream)
        reply = next(self._replies, None)
        if reply is None:
            raise WebFailed("nobody has told the model what to answer")
        if isinstance(reply, Exception):
            raise reply
        made = reply(request) if callable(reply) else reply
        return made if isinstance(made, ModelAnswer) else _answer(request, made)


def _answer(request: ModelRequest, text: str) -> ModelAnswer:
    read = sum(estimated_tokens(message.text) for message in request.messages)
    tokens = Tokens(input=read, output=estimated_tokens(text))
    return ModelAnswer(model=request.model, text=text, tokens=tokens)
