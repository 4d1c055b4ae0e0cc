"""How blocks ask a model: where it is, what fits into it, and what an answer must at least be."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from backend.blocks.llm.choices import DEFAULT_OLLAMA
from backend.sdk import (
    PER_MESSAGE,
    AgentServerError,
    BlockContext,
    Finish,
    JsonObject,
    Message,
    ModelAnswer,
    ModelRequest,
    ModelSpec,
    NotFound,
    Role,
    Thinking,
    Tool,
    estimated_tokens,
    first_tokens,
    last_tokens,
)

#: Tokens that are kept free for an answer where nobody says how long it may be.
_USUAL_ANSWER: Final = 4_096
#: What is taken for granted of a model that only its server knows.
_UNKNOWN_CONTEXT: Final = 32_768
#: No answer is asked for more often than this, whatever a pin says.
MOST_TRIES: Final = 10


class AnswerUnusable(AgentServerError):
    """The model gave no answer that can be used."""


class Asker:
    """
    One node's way to its model.

    Attributes:
        spec: What is known of the model.
    """

    def __init__(
        self,
        context: BlockContext,
        *,
        model: str,
        credentials: Mapping[str, Any],
        max_tokens: int | None = None,
        ollama_host: str = "",
    ) -> None:
        """
        Choose the model.

        Raises:
            NotConfigured: If there are no models here.
            NotFound: If nobody knows this one, and no server of one's own is named.
            ValueError: If a number of tokens is not above zero, or a key would go to strangers.
        """
        if max_tokens is not None and max_tokens < 1:
            raise ValueError("max_tokens must be at least 1")
        self._models = context.language_models()
        self._model = model
        self._credentials = credentials
        self.spec, self._base_url = _find(self._models.spec, model, ollama_host)
        if self._base_url and credentials.get("provider") not in (None, "ollama"):
            # Whoever wrote the graph chose the address; the key is that of whoever runs it.
            raise ValueError(
                f"a key of {credentials.get('provider')} does not go to {ollama_host}: choose"
                " credentials of the provider ollama"
            )
        self._wanted = max_tokens
        usual = min(max_tokens or _USUAL_ANSWER, self.spec.max_output or _USUAL_ANSWER)
        self._kept = min(usual, max(1, self.spec.context // 2))

    @classmethod
    def of(cls, inputs: Any, context: BlockContext) -> "Asker":
        """Choose the model that the usual pins of a block name; see `__init__`."""
        return cls(
            context,
            model=inputs.model,
            credentials=inputs.credentials,
            max_tokens=inputs.max_tokens,
            ollama_host=inputs.ollama_host,
        )

    @property
    def room(self) -> int:
        """Return how many tokens a question may have, so that there is room for the answer."""
        return self.spec.context - self._kept

    async def ask(
        self,
        messages: Sequence[Message],
        *,
        schema: JsonObject | None = None,
        stream: bool = False,
        max_tokens: int | None = None,
        tools: Sequence[Tool] = (),
        parallel_tools: bool = True,
        thinking: Thinking = Thinking.USUAL,
    ) -> ModelAnswer:
        """
        Return the model's answer.

        Args:
            tools: What the model may call; *parallel_tools*: several at once.
            schema: The answer shall be JSON of this schema, if the model can promise that.
            max_tokens: Fewer than the node allows.

        Raises:
            As `backend.sdk.context.Models.ask`.
        """
        request = ModelRequest(
            model=self._model,
            messages=tuple(messages),
            base_url=self._base_url,
            max_tokens=_least_of(max_tokens, self._answer_room(messages)),
            json_schema=schema if self.spec.json_schema else None,
            tools=tuple(tools),
            parallel_tools=parallel_tools,
            thinking=thinking,
        )
        return await self._models.ask(request, credentials=self._credentials, stream=stream)

    def _answer_room(self, messages: Sequence[Message]) -> int | None:
        """Return how long the answer may be; None: as long as the model likes."""
        left = self.spec.context - size_of(messages)
        longest = self.spec.max_output or _USUAL_ANSWER
        # Unasked, no number is sent: some providers take all of it from the caller's allowance.
        if self._wanted is None and left >= longest:
            return None
        # The estimate is on the long side: a question that is over it may fit all the same.
        return max(min(self._wanted or longest, longest, left), self._kept)

    def fitted(self, messages: Sequence[Message]) -> list[Message]:
        """
        Return *messages* so that they fit: old turns left out, then long texts cut in the middle.

        What the system says, and the last turn, stay.
        """
        kept = list(messages)
        while size_of(kept) > self.room and (oldest := _oldest_turn(kept)) is not None:
            del kept[oldest]
            # An answer of a tool without the call that it answers is nothing a provider takes.
            while oldest < len(kept) - 1 and kept[oldest].role is Role.TOOL:
                del kept[oldest]
        return kept if size_of(kept) <= self.room else _cut(kept, self.room)


def require_text(answer: ModelAnswer) -> str:
    """
    Return the text of *answer*, without blanks around it.

    Raises:
        AnswerUnusable: If there is none, says why.
    """
    text = answer.text.strip()
    if text:
        return text
    if answer.finish is Finish.LENGTH:
        raise AnswerUnusable(
            "the model had used up its tokens before it began to answer: raise max_tokens"
        )
    if answer.finish is Finish.FILTERED:
        raise AnswerUnusable("the provider holds the answer back: its filter does not let it pass")
    raise AnswerUnusable("the model's answer was empty")


async def ask_for_text(
    asker: Asker,
    messages: Sequence[Message],
    *,
    tries: int,
    stream: bool = False,
    max_tokens: int | None = None,
) -> str:
    """
    Return what the model answers; an empty answer is asked for again.

    Raises:
        AnswerUnusable: If it is empty each time.
    """
    asked = ask_for_answer(asker, messages, tries=tries, stream=stream, max_tokens=max_tokens)
    return require_text(await asked)


async def ask_for_answer(
    asker: Asker, messages: Sequence[Message], *, tries: int, **how: Any
) -> ModelAnswer:
    """Return the model's answer; one without a text is asked for again. *how*: as `Asker.ask`."""
    for _ in range(bounded_tries(tries) - 1):
        answer = await asker.ask(messages, **how)
        if answer.text.strip() or answer.finish is not Finish.STOP:
            return answer
    return await asker.ask(messages, **how)


def bounded_tries(wanted: int) -> int:
    """Return how often an answer may be asked for in all."""
    return min(max(wanted, 1), MOST_TRIES)


def question(prompt: str, system: str = "") -> list[Message]:
    """
    Return a conversation that begins with *prompt*.

    Raises:
        ValueError: If there is nothing to ask.
    """
    if not (prompt.strip() or system.strip()):
        raise ValueError("there is nothing to ask: the prompt is empty")
    said = [Message(role=Role.SYSTEM, text=system)] if system.strip() else []
    return [*said, Message(role=Role.USER, text=prompt)] if prompt.strip() else said


def filled(text: str, values: Mapping[str, Any]) -> str:
    """Return *text* with *values* in its gaps; without any it stays as it is, braces and all."""
    if not values:
        return text
    # Most prompts have no gaps, and the engine of templates costs 30 ms to import.
    from backend.sdk.templates import fill  # noqa: PLC0415

    return fill(text, values)


def size_of(messages: Sequence[Message]) -> int:
    """Return how many tokens *messages* have at the most, roughly."""
    return sum(
        PER_MESSAGE
        + estimated_tokens(message.text)
        + sum(estimated_tokens(call.name + call.arguments) for call in message.tool_calls)
        for message in messages
    )


def shown(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return *messages* as the pin ``prompt`` shows them, and as ``messages`` takes them."""
    return [_shown(message) for message in messages]


def _shown(message: Message) -> dict[str, Any]:
    told: dict[str, Any] = {"role": message.role.value, "content": message.text}
    if message.tool_calls:
        told["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        told["tool_call_id"] = message.tool_call_id
    return told


def _find(spec_of: Any, model: str, ollama_host: str) -> tuple[ModelSpec, str]:
    """Return what is known of *model*, and the address at which it is asked; empty: the usual."""
    address = _address(ollama_host)
    try:
        spec: ModelSpec = spec_of(model)
    except NotFound:
        if not address:
            raise
        return ModelSpec(name=model, provider="ollama", context=_UNKNOWN_CONTEXT), address
    return spec, address if spec.provider == "ollama" else ""


def _address(host: str) -> str:
    host = host.strip().rstrip("/")
    if not host or host == DEFAULT_OLLAMA:
        return ""
    url = host if "://" in host else f"http://{host}"
    return url if urlsplit(url).path else f"{url}/v1"


def _least_of(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _oldest_turn(messages: Sequence[Message]) -> int | None:
    """Return where the oldest turn is that can be left out; None if there is none."""
    turns = (
        place for place, message in enumerate(messages[:-1]) if message.role is not Role.SYSTEM
    )
    return next(turns, None)


def _cut(messages: Sequence[Message], room: int) -> list[Message]:
    sizes = [estimated_tokens(message.text) for message in messages]
    most = _fair_share(sizes, room - (size_of(messages) - sum(sizes)))
    return [
        message if size <= most else replace(message, text=_without_middle(message.text, most))
        for message, size in zip(messages, sizes, strict=True)
    ]


def _fair_share(sizes: Sequence[int], room: int) -> int:
    """Return the size that none may exceed so that all together are within *room*."""
    left, share = room, 0
    for place, size in enumerate(sorted(sizes)):
        share = max(0, left) // (len(sizes) - place)
        if size > share:
            return share
        left -= size
    return share


def _without_middle(text: str, tokens: int) -> str:
    note = f"\n[… {len(text):,} characters, cut here to fit …]\n"
    each = max(0, tokens - estimated_tokens(note)) // 2
    return first_tokens(text, each) + note + last_tokens(text, each)
