"""What a test says that a model answers, and what it may look at of a request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from backend.testing.providers.server import Request


@dataclass(frozen=True)
class Call:
    """
    The model wants a tool called.

    Attributes:
        arguments: A mapping; or the text itself, which need not be JSON.
        id: Empty: one is made.
    """

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """
    What a model answers.

    Attributes:
        finish: In the words of OpenAI (stop, length, tool_calls, content_filter); empty: as fits.
        input_tokens: None, and *output_tokens* None: about as many as the texts have, at least one.
        cached_tokens: Of those of the input: read by the provider before.
        without_usage: Nothing is said of tokens, as by some small servers; OpenAI's APIs alone.
        sources: What is cited, (address, title); OpenAI's APIs alone.
        delay_s: Before the first byte.
        piece_pause_s: Between the pieces of a stream.
        cut_after: A stream breaks off after so many pieces of text, as if the provider had died.
        headers: Beside the usual ones.
    """

    text: str = ""
    calls: Sequence[Call] = ()
    reasoning: str = ""
    finish: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    without_usage: bool = False
    sources: Sequence[tuple[str, str]] = ()
    delay_s: float = 0.0
    piece_pause_s: float = 0.0
    cut_after: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def pieces(self) -> list[str]:
        """The text as a stream sends it: word by word."""
        words = self.text.split(" ")
        return [word + " " for word in words[:-1]] + words[-1:] if self.text else []


@dataclass(frozen=True)
class Refusal:
    """
    A status that is no success, with a body as the provider writes it.

    Attributes:
        retry_after: The header: seconds, or an HTTP date.
    """

    status: int
    message: str = "the stand-in was told to refuse this"
    retry_after: str | None = None
    code: str = ""


@dataclass(frozen=True)
class BrokenAnswer:
    """Bytes that are no answer: half a JSON object, a page of a proxy."""

    body: bytes = b'{"id": "broken", "choices": [{"mess'
    status: int = 200
    content_type: str = "application/json"
    breaks_off: bool = False


@dataclass(frozen=True)
class Silence:
    """Nothing is said for so long, unless the server ends; then the connection ends, too."""

    seconds: float = 600.0


@dataclass(frozen=True, kw_only=True)
class Heard:
    """
    One turn of the conversation that was sent.

    Attributes:
        role: system, user, assistant or tool, whatever the API calls it.
        calls: (id, name, arguments as text) of each.
        call_id: Of a tool's answer.
    """

    role: str
    text: str = ""
    calls: tuple[tuple[str, str, str], ...] = ()
    call_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """
    One request to a model, the same for all APIs.

    Attributes:
        provider: The first part of the path: ``openai`` of ``/openai/v1/chat/completions``.
        body: As it was sent.
        heard: The conversation.
        tools: Schemas of parameters by name.
        tool_choice: auto, required, none, or the name of the one tool that must be called.
        schema: That the answer must fit, if one was sent.
        key: Of the header Idempotency-Key; empty without.
    """

    wire: Literal["openai", "anthropic", "responses"]
    provider: str
    model: str
    body: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    heard: tuple[Heard, ...]
    tools: Mapping[str, Mapping[str, Any]]
    tool_choice: str
    schema: Mapping[str, Any] | None
    stream: bool
    key: str

    @property
    def tool_names(self) -> list[str]:
        """The names of the tools that were offered."""
        return list(self.tools)

    @property
    def last_text(self) -> str:
        """What the user said last."""
        return next((turn.text for turn in reversed(self.heard) if turn.role == "user"), "")

    @property
    def text(self) -> str:
        """Everything that was said, one turn below the other."""
        return "\n".join(turn.text for turn in self.heard)


class Invalid(Exception):
    """A provider would refuse this request; the message says why."""


Scripted: TypeAlias = Answer | Refusal | BrokenAnswer | Silence
#: Answers by what was asked; None: the sensible answer.
AnswerFunction: TypeAlias = Callable[[Asked], Scripted | None]
#: For who reads requests of one of the APIs. Raises Invalid.
Reader: TypeAlias = Callable[[Request, str], Asked]
