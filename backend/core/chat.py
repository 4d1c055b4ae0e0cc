"""Conversations with the copilot: what is kept of them, and the agent whose runs are their turns.

A turn is a run of an agent that everybody has and nobody sees. So a turn is journalled, counted,
paid, bounded, stopped and taken up again like any other run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NewType

from backend.core.graph import Graph, Node
from backend.core.ids import BlockId, ExecutionId, GraphId, NodeId, UserId
from backend.core.policy import POLICY, OnError
from backend.core.records import ExecutionRecord

ChatId = NewType("ChatId", str)

#: The agent whose runs are turns. It is in no table: every installation has this one.
GRAPH_ID: Final = GraphId("fbdada62-8ad1-486b-87d7-cf30adcb0e2d")
NODE_ID: Final = NodeId("2637471e-02ca-4050-a804-c077b7d488d5")
BLOCK_ID: Final = BlockId("7a5d6c91-3c6e-4cc7-b659-bea7caf5d5a3")
VERSION: Final = 1
#: What starts such a run.
TRIGGER: Final = "chat"

#: Characters of a title (spec/contract.md 17).
MAX_TITLE: Final = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Chat:
    """
    A conversation.

    Attributes:
        messages: How many there are; the next one has this number.
        run_id: The run that is its newest turn; None: nobody has asked yet.
    """

    id: ChatId
    user_id: UserId
    title: str | None = None
    messages: int = 0
    run_id: ExecutionId | None = None
    created_us: int
    updated_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatMessage:
    """
    One message.

    Attributes:
        number: Its place in the conversation, from 0.
        run_id: The turn that it belongs to.
        body: In OpenAI's shape: role, content, tool_calls, tool_call_id, name.
        tokens: That the call of a model took which said it.
    """

    number: int
    run_id: ExecutionId
    body: Mapping[str, Any]
    tokens: int = 0
    created_us: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """
    A turn that was accepted.

    Attributes:
        first: The number of the message that began it.
        is_new: False: the same request has begun it before.
    """

    chat_id: ChatId
    run: ExecutionRecord
    first: int
    is_new: bool = True


def copilot_graph(*, time_limit_s: float) -> Graph:
    """Return the agent whose runs are turns, each *time_limit_s* seconds long at most."""
    policy = {"time_limit_s": time_limit_s, "on_error": OnError.FAIL.value}
    node = Node(id=NODE_ID, block_id=BLOCK_ID, metadata={POLICY: policy})
    return Graph(
        id=GRAPH_ID,
        version=VERSION,
        name="Copilot",
        description="Answers in conversations.",
        nodes=(node,),
    )


def title_of(text: str) -> str:
    """Return the title of a conversation that begins with *text*: its first line, cut at a word."""
    line = next((one for one in map(str.strip, text.splitlines()) if one), "")
    words = " ".join(line.split())
    if len(words) <= MAX_TITLE:
        return words
    cut = words[: MAX_TITLE - 1]
    head, blank, _ = cut.rpartition(" ")
    return (head if blank and len(head) > MAX_TITLE // 2 else cut) + "…"
