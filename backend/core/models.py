"""Language models: what they are asked and what they answer, what is known of each, what it costs (pure).

Money here is in micro US dollars (1,000,000 of them are 1 US dollar), so that a price per million
tokens in US dollars is a price per token.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from backend.core.json import JsonObject


class Role(StrEnum):
    """Who speaks in a conversation."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class ToolChoice(StrEnum):
    """Whether a model calls tools."""

    AUTO = "auto"
    REQUIRED = "required"
    NONE = "none"


class Thinking(StrEnum):
    """How long a model thinks before it answers."""

    USUAL = ""  #: as its provider has it
    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Finish(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"  #: the limit of tokens cut it off
    TOOLS = "tools"
    FILTERED = "filtered"


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A model wants a tool called. *arguments* is JSON as the model wrote it, checked by nobody."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """What a model may call. *parameters* is a JSON schema of an object."""

    name: str
    description: str
    parameters: JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """
    One turn of a conversation.

    Attributes:
        tool_calls: Of the assistant.
        tool_call_id: Of a tool's answer: which call it answers.
    """

    role: Role
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRequest:
    """
    One call of a model.

    Attributes:
        base_url: Of an OpenAI-compatible server, instead of the one of the model's provider; only
            the operator's allow-list opens private addresses.
        json_schema: The answer is to be JSON of this schema, an object.
        thinking: Where the model's API takes it: only OpenAI's own two do.
        timeout_s: For the whole call.
    """

    model: str
    messages: tuple[Message, ...]
    base_url: str = ""
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice.AUTO
    parallel_tools: bool = True
    max_tokens: int | None = None
    temperature: float | None = None
    json_schema: JsonObject | None = None
    thinking: Thinking = Thinking.USUAL
    timeout_s: float = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """
    What a call took.

    Attributes:
        cached: Those of *input* that the provider had read before.
        estimated: Some of them were counted here, on the long side: the provider does not say.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    estimated: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What a model that searches names for what it says. *excerpt*: of its text, if it has one."""

    url: str
    title: str = ""
    excerpt: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelAnswer:
    """
    What a model answered.

    Attributes:
        model: As the provider names the one that answered.
        sources: Of a model that searches the web.
        id: By which the provider knows the answer; empty where it gives none.
    """

    model: str
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tokens: Tokens = field(default_factory=Tokens)
    finish: Finish = Finish.STOP
    reasoning: str = ""
    sources: tuple[Source, ...] = ()
    id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSpec:
    """
    What is known of a model.

    Attributes:
        name: As graphs name it (spec/blocks.json).
        wire_name: As its provider names it, if that is different.
        context: Tokens of question and answer together.
        max_output: Tokens of an answer; None: nobody says.
        input_price: Micro US dollars for a token; *output_price*, *cached_price* likewise; the last
            None: as *input_price*.
        responses: It is asked through the responses API of OpenAI; others through chat completions.
        successor: Of a model that is retired: what stands in for it.
    """

    name: str
    provider: str
    title: str = ""
    wire_name: str = ""
    context: int = 128_000
    max_output: int | None = None
    input_price: float = 0.0
    output_price: float = 0.0
    cached_price: float | None = None
    tools: bool = True
    json_schema: bool = False
    images: bool = False
    responses: bool = False
    successor: str = ""

    def cost_of(self, tokens: Tokens) -> int:
        """Return what *tokens* cost, micro US dollars, rounded up."""
        cached_price = self.input_price if self.cached_price is None else self.cached_price
        fresh = max(0, tokens.input - tokens.cached)
        return math.ceil(
            fresh * self.input_price
            + tokens.cached * cached_price
            + tokens.output * self.output_price
        )


#: Models by name.
Models = Mapping[str, ModelSpec]
