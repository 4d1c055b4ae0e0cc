"""
Stand-in servers for other people's services: real HTTP on loopback, in threads of their own.

`ModelProvider` plays the providers of language models:

    with ModelProvider() as provider:
        provider.script(Answer(calls=(Call("add", {"a": 1}),)), Refusal(429, retry_after="2"))
        ...  # call provider.base_url("openai") or provider.base_url("anthropic")
        assert provider.asked[0].tool_names == ["add"]

What is not scripted is answered sensibly (`backend.testing.providers.sensible`): so real agents run
to their end against it. `StandIn` is the bare server, for services of another kind: give it a
function from a `Request` to a `Reply`.
"""

from backend.testing.providers.models import ModelProvider
from backend.testing.providers.scripts import (
    Answer,
    Asked,
    BrokenAnswer,
    Call,
    Heard,
    Refusal,
    Scripted,
    Silence,
)
from backend.testing.providers.sensible import instance_of, sensible_answer
from backend.testing.providers.server import Reply, Request, StandIn

__all__ = [
    "Answer",
    "Asked",
    "BrokenAnswer",
    "Call",
    "Heard",
    "ModelProvider",
    "Refusal",
    "Reply",
    "Request",
    "Scripted",
    "Silence",
    "StandIn",
    "instance_of",
    "sensible_answer",
]
