"""Graphs with a model that decides, and a model whose decisions a test writes."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from backend.core.credentials import ApiKeyCredentials, Credentials, Secret
from backend.core.graph import Graph
from backend.core.ids import CredentialsId, UserId
from backend.core.json import dumps
from backend.core.models import Finish, ModelAnswer, ModelRequest, ModelSpec, ToolCall
from backend.ports.models import OnText
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, graph

MODEL: Final = "test-model"
SPECS: Final = {MODEL: ModelSpec(name=MODEL, provider="openai", max_output=1_000)}


def call(name: str, id_: str = "", /, **arguments: Any) -> ToolCall:
    """Return a call as a model writes it."""
    return ToolCall(id=id_ or f"call {name}", name=name, arguments=dumps(arguments).decode())


@dataclass
class Deciding:
    """
    A ModelClient that answers with the next of what it was given.

    Attributes:
        hang: The number of the call that never returns; 0: none.
    """

    says: deque[str | list[ToolCall]]
    hang: int = 0
    hung: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[ModelRequest] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    async def ask(
        self,
        request: ModelRequest,
        credentials: Credentials | None,
        *,
        key: str,
        on_text: OnText | None = None,
    ) -> ModelAnswer:
        del credentials, on_text
        self.asked.append(request)
        self.keys.append(key)
        if len(self.asked) == self.hang:
            self.hung.set()
            await asyncio.Event().wait()
        said = self.says.popleft()
        if isinstance(said, str):
            return ModelAnswer(model=MODEL, text=said)
        return ModelAnswer(model=MODEL, tool_calls=tuple(said), finish=Finish.TOOLS)

    async def aclose(self) -> None:
        pass


def says(*answers: str | list[ToolCall], hang: int = 0) -> Deciding:
    return Deciding(deque(answers), hang=hang)


class Keys:
    """Lends everybody the same key."""

    async def lend(self, user_id: UserId, reference: Mapping[str, Any]) -> Credentials:
        del user_id
        return ApiKeyCredentials(
            id=CredentialsId(str(reference["id"])), provider="openai", api_key=Secret(CANARY)
        )


#: What no model may ever read.
CANARY: Final = "sk-canary-7f3a9"
KEY: Final = {"id": "mine", "provider": "openai", "type": "api_key"}


def decider(**defaults: Any) -> tuple[str, dict[str, Any]]:
    """Return the node of a model that decides."""
    return "SmartDecisionMakerBlock", {
        "prompt": "Do it.",
        "model": MODEL,
        "credentials": KEY,
        **defaults,
    }


SEEN: Final = ("AgentOutputBlock", {"name": "seen"})
TALK: Final = ("AgentOutputBlock", {"name": "talk"})


def deciding(name: str = "deciding", **defaults: Any) -> Graph:
    """Return a graph of a model with two tools: one keyed, one that fails unless it is told *fine*."""
    return graph(
        name,
        {
            "in": INPUT,
            "model": decider(**defaults),
            "keyed": ("KeyedBlock", {}),
            "breaks": ("BreaksBlock", {"value": "fine"}),
            "out": OUTPUT,
            "seen": SEEN,
            "danger": ("OnceBlock", {"value": "never"}),
        },
        """
        in.result -> model.prompt_values_#_x
        model.tools -> keyed.value
        model.tools -> breaks.value
        keyed.result -> seen.value
        model.finished -> out.value
        in.never -> danger.value
        """,
    )


def turns(**defaults: Any) -> Graph:
    """Return a graph in which the conversation goes round by links."""
    made = graph(
        "turns",
        {"in": INPUT, "model": decider(**defaults), "keyed": ("KeyedBlock", {}), "out": OUTPUT},
        """
        in.result -> model.prompt
        model.tools -> keyed.value
        model.conversations -> model.conversation_history
        keyed.result -> model.last_tool_output
        model.finished -> out.value
        """,
    )
    links = [replace(link, is_static=link.source_id == "in") for link in made.links]
    return replace(made, links=tuple(links))
