"""Our requests in the words of pydantic-ai."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from backend.adapters.models.targets import Target
from backend.core.model_registry import ModelApi, ModelProvider
from backend.core.models import Message, ModelRequest, ModelSpec, Role, ToolChoice

if TYPE_CHECKING:
    import httpx2

#: Of an answer of Anthropic's, which wants to be told, where nobody knows better.
_MAX_TOKENS: Final = 8192
_SCHEMA_WORDS: Final = (
    "Answer with one JSON object that fits this JSON schema, and with nothing before or after it:"
    "\n\n{schema}"
)


@dataclass(frozen=True, kw_only=True)
class Call:
    """What pydantic-ai is asked with."""

    model: Any
    messages: list[Any]
    settings: Any
    parameters: Any


def call_of(request: ModelRequest, target: Target, http: "httpx2.AsyncClient", *, key: str) -> Call:
    """Return *request* as pydantic-ai takes it, over *http* alone."""
    if target.key is None:
        http.event_hooks = {"request": [_without_key]}
    return Call(
        model=_model(target, http),
        messages=list(_messages(request.messages)),
        settings=_settings(request, target, key),
        parameters=_parameters(request, target),
    )


def make_first_model(api: ModelApi, http: "httpx2.AsyncClient") -> None:
    """Make a model of each kind that *api* has, for nobody: nothing is sent."""
    provider = ModelProvider(name="nobody", title="", base_url="http://127.0.0.1", api=api)
    for responses in (False, True):
        spec = ModelSpec(name="nothing", provider=provider.name, responses=responses)
        _model(Target(spec=spec, provider=provider, key=None), http)


def _model(target: Target, http: "httpx2.AsyncClient") -> Any:
    if target.provider.api is ModelApi.ANTHROPIC:
        return _anthropic(target, http)
    return _openai(target, http)


def _openai(target: Target, http: "httpx2.AsyncClient") -> Any:
    from openai import AsyncOpenAI  # noqa: PLC0415 -- heavy
    from pydantic_ai.models.openai import (  # noqa: PLC0415 -- heavy
        OpenAIChatModel,
        OpenAIResponsesModel,
    )
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415 -- heavy

    client = AsyncOpenAI(
        api_key=_key_for_sdk(target),
        base_url=target.provider.base_url,
        max_retries=0,
        http_client=http,
    )
    # What the environment says of an account at OpenAI is no business of other servers.
    client.organization = client.project = None
    profile: Any = {
        "supports_json_schema_output": target.spec.json_schema,
        "openai_chat_streaming_requires_finish_reason": True,
    }
    if target.provider.name != "openai":
        # The newer name of the limit is OpenAI's own; the older one is understood everywhere.
        profile["openai_chat_supports_max_completion_tokens"] = False
    provider = OpenAIProvider(openai_client=client)
    kind = OpenAIResponsesModel if target.spec.responses else OpenAIChatModel
    return kind(target.wire_name, provider=provider, profile=profile)


def _anthropic(target: Target, http: "httpx2.AsyncClient") -> Any:
    from anthropic import AsyncAnthropic  # noqa: PLC0415 -- heavy
    from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415 -- heavy
    from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415 -- heavy

    client = AsyncAnthropic(
        api_key=_key_for_sdk(target),
        base_url=target.provider.base_url,
        max_retries=0,
        http_client=http,
    )
    client.auth_token = None
    profile: Any = {"supports_json_schema_output": target.spec.json_schema}
    provider = AnthropicProvider(anthropic_client=client)
    return AnthropicModel(target.wire_name, provider=provider, profile=profile)


def _key_for_sdk(target: Target) -> str:
    """Return the key; without one a word, as the SDKs insist on something. It is not sent."""
    return target.key.reveal() if target.key else "none"


async def _without_key(request: "httpx2.Request") -> None:
    for name in ("authorization", "x-api-key"):
        request.headers.pop(name, None)


def _settings(request: ModelRequest, target: Target, key: str) -> Any:
    settings: dict[str, Any] = {
        # For each step; one for all of it stands around the call.
        "timeout": request.timeout_s,
        # Who does not know the header passes over it.
        "extra_headers": {"Idempotency-Key": key},
    }
    if request.max_tokens is not None:
        settings["max_tokens"] = request.max_tokens
    elif target.provider.api is ModelApi.ANTHROPIC:
        settings["max_tokens"] = target.spec.max_output or _MAX_TOKENS
    if request.thinking and target.provider.api is ModelApi.OPENAI:
        settings["openai_reasoning_effort"] = request.thinking.value
    if target.spec.responses:
        settings["openai_store"] = False  # what is asked and answered stays with whoever asked
    if request.temperature is not None:
        settings["temperature"] = request.temperature
    if request.tools and request.tool_choice is not ToolChoice.AUTO:
        settings["tool_choice"] = request.tool_choice.value
    if request.tools and not request.parallel_tools:
        settings["parallel_tool_calls"] = False
    return settings


def _parameters(request: ModelRequest, target: Target) -> Any:
    from pydantic_ai.messages import InstructionPart  # noqa: PLC0415 -- heavy
    from pydantic_ai.models import ModelRequestParameters  # noqa: PLC0415 -- heavy
    from pydantic_ai.output import OutputObjectDefinition  # noqa: PLC0415 -- heavy
    from pydantic_ai.tools import ToolDefinition  # noqa: PLC0415 -- heavy

    parameters = ModelRequestParameters(
        function_tools=[
            ToolDefinition(
                name=tool.name,
                description=tool.description or None,
                parameters_json_schema=dict(tool.parameters),
                strict=False,  # as they are: a schema of ours need not be one of the strict kind
            )
            for tool in request.tools
        ]
    )
    if request.json_schema is None:
        return parameters
    if target.spec.json_schema:
        parameters.output_mode = "native"
        parameters.output_object = OutputObjectDefinition(
            json_schema=dict(request.json_schema), name="answer"
        )
    else:
        words = _SCHEMA_WORDS.format(schema=json.dumps(request.json_schema))
        parameters.instruction_parts = [InstructionPart(content=words)]
    return parameters


def _messages(messages: tuple[Message, ...]) -> Iterator[Any]:
    from pydantic_ai import messages as theirs  # noqa: PLC0415 -- heavy

    asked: list[Any] = []
    names: dict[str, str] = {}
    for message in messages:
        if message.role is not Role.ASSISTANT:
            asked.append(_asked(message, names))
            continue
        if asked:
            yield theirs.ModelRequest(parts=asked)
            asked = []
        names |= {call.id: call.name for call in message.tool_calls}
        parts: list[Any] = [theirs.TextPart(content=message.text)] if message.text else []
        parts += [
            theirs.ToolCallPart(tool_name=call.name, args=call.arguments, tool_call_id=call.id)
            for call in message.tool_calls
        ]
        yield theirs.ModelResponse(parts=parts)
    if asked:
        yield theirs.ModelRequest(parts=asked)


def _asked(message: Message, names: dict[str, str]) -> Any:
    from pydantic_ai import messages as theirs  # noqa: PLC0415 -- heavy

    match message.role:
        case Role.SYSTEM:
            return theirs.SystemPromptPart(content=message.text)
        case Role.TOOL:
            return theirs.ToolReturnPart(
                tool_name=names.get(message.tool_call_id, "tool"),
                content=message.text,
                tool_call_id=message.tool_call_id,
            )
        case _:
            return theirs.UserPromptPart(content=message.text)
