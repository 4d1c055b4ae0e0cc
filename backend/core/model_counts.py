"""How many tokens a call of a model took, where its provider does not say (pure)."""

from dataclasses import replace

from backend.core import json
from backend.core.models import ModelAnswer, ModelRequest, Tokens
from backend.core.tokens import PER_MESSAGE, estimated_tokens


def counted(request: ModelRequest, answer: ModelAnswer) -> Tokens:
    """
    Return what *request* and *answer* took: as the provider says, and estimated where it does not.

    No question has no tokens, and no answer that says something. An estimate is on the long side,
    so that budgets hold, but never more than an answer was allowed.
    """
    told = answer.tokens
    if told.input <= 0:
        told = replace(told, input=_asked(request), cached=0, estimated=True)
    if told.output <= 0 and (size := _answered(answer)):
        most = size if request.max_tokens is None else min(size, request.max_tokens)
        told = replace(told, output=most, estimated=True)
    return told


def _asked(request: ModelRequest) -> int:
    texts = [message.text for message in request.messages]
    texts += [
        call.name + call.arguments for message in request.messages for call in message.tool_calls
    ]
    texts += [tool.name + tool.description + json.text(tool.parameters) for tool in request.tools]
    if request.json_schema is not None:
        texts.append(json.text(request.json_schema))
    return sum(map(estimated_tokens, texts)) + PER_MESSAGE * len(request.messages)


def _answered(answer: ModelAnswer) -> int:
    texts = [answer.text, answer.reasoning]
    texts += [call.name + call.arguments for call in answer.tool_calls]
    return sum(map(estimated_tokens, texts))
