"""Answers of pydantic-ai in our words."""

import json
import re
from typing import Any, Final

from backend.core.models import Finish, ModelAnswer, ModelRequest, Source, Tokens, ToolCall

_FENCED: Final = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL)
_FINISHES: Final = {
    "stop": Finish.STOP,
    "length": Finish.LENGTH,
    "tool_call": Finish.TOOLS,
    "content_filter": Finish.FILTERED,
}


def answer_of(answer: Any, request: ModelRequest) -> ModelAnswer:
    """Return *answer*, a ModelResponse of pydantic-ai."""
    from pydantic_ai import messages as theirs  # noqa: PLC0415 -- heavy

    texts: list[str] = []
    reasons: list[str] = []
    calls: list[ToolCall] = []
    sources: list[Source] = []
    for part in answer.parts:
        match part:
            case theirs.TextPart(content=text, citations=citations):
                texts.append(text)
                sources.extend(_sources(citations))
            case theirs.ThinkingPart(content=text):
                reasons.append(text)
            case theirs.ToolCallPart(tool_name=name, args=args, tool_call_id=id_):
                calls.append(ToolCall(id=id_, name=name, arguments=_arguments(args)))
            case _:  # what a provider did by itself, such as a search
                continue
    text = "".join(texts)
    if request.json_schema is not None and (fenced := _FENCED.fullmatch(text)):
        text = fenced[1]
    return ModelAnswer(
        model=answer.model_name or request.model,
        text=text,
        tool_calls=tuple(calls),
        tokens=_tokens(answer.usage),
        finish=Finish.TOOLS if calls else _FINISHES.get(answer.finish_reason, Finish.STOP),
        reasoning="\n".join(filter(None, reasons)),
        sources=tuple(sources),
        id=answer.provider_response_id or "",
    )


def text_of(event: Any) -> str:
    """Return the piece of text in *event*, one of a stream of pydantic-ai; it may be empty."""
    from pydantic_ai import messages as theirs  # noqa: PLC0415 -- heavy

    match event:
        case theirs.PartStartEvent(part=theirs.TextPart(content=text)):
            return text
        case theirs.PartDeltaEvent(delta=theirs.TextPartDelta(content_delta=text)):
            return text
        case _:
            return ""


def _arguments(args: Any) -> str:
    if isinstance(args, str):
        return args
    return json.dumps(args if args is not None else {})


def _sources(citations: Any) -> list[Source]:
    """Return what *citations* of pydantic-ai name that has an address."""
    return [
        Source(
            url=str(source.url),
            title=getattr(source, "title", None) or "",
            excerpt="\n".join(getattr(source, "excerpts", None) or ()),
        )
        for citation in citations or ()
        for source in citation.sources
        if getattr(source, "url", None)
    ]


def _tokens(usage: Any) -> Tokens:
    return Tokens(
        input=usage.input_tokens, output=usage.output_tokens, cached=usage.cache_read_tokens
    )
