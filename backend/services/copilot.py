"""What the copilot works with in one conversation: what was said there, and its user's things."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.core.block import Effect
from backend.core.chat import ChatId, ChatMessage
from backend.core.errors import NotFound
from backend.core.graph import Graph
from backend.core.ids import ExecutionId, UserId
from backend.core.models import Tool
from backend.ports.chat import Chats
from backend.ports.clock import Clock
from backend.sdk.chat import Said
from backend.services.copilot_calls import ToolCalled
from backend.services.copilot_tools import CopilotTools, within
from backend.services.copilot_words import TOOLS

#: Of a conversation, so many messages are read; the model's room decides what of them is sent.
MOST_READ: Final = 300
#: Messages that a session has at most.
MOST_MESSAGES: Final = 1_000
#: Calls of a tool for one agent, or one block, in one session (spec/contract.md 17).
MOST_OF_ONE: Final = {"run_agent": 30, "schedule_agent": 30, "run_block": 30}


@dataclass(frozen=True, kw_only=True)
class Copilot:
    """See backend.engine.tools.TurnDesks. It keeps nothing."""

    graph: Graph
    chats: Chats
    clock: Clock
    tools: CopilotTools

    def of(self, user_id: UserId, run_id: ExecutionId) -> "UserCopilot":
        """Return the conversations of *user_id*, for the turn that is this run."""
        return UserCopilot(copilot=self, user_id=user_id, run_id=run_id)


@dataclass(frozen=True, kw_only=True)
class UserCopilot:
    """See backend.sdk.chat.ChatDesks."""

    copilot: Copilot
    user_id: UserId
    run_id: ExecutionId

    def of(self, chat_id: str) -> "CopilotDesk":
        """Return one of them."""
        return CopilotDesk(self, ChatId(chat_id))


class CopilotDesk:
    """See backend.sdk.chat.ChatDesk."""

    def __init__(self, owner: UserCopilot, chat_id: ChatId) -> None:
        self._copilot = owner.copilot
        self._user_id = owner.user_id
        self._run_id = owner.run_id
        self._chat_id = chat_id

    async def said(self) -> Sequence[Said]:
        """Return the newest messages; see ChatDesk."""
        chats = self._copilot.chats.of(self._user_id)
        found = await chats.messages(self._chat_id, limit=MOST_READ)
        if not any(one.run_id == self._run_id for one in found):
            raise NotFound(f"Session {self._chat_id} not found.")
        return [
            Said(
                number=one.number,
                message=one.body,
                is_own=one.run_id == self._run_id,
                tokens=one.tokens,
            )
            for one in found
        ]

    async def say(self, number: int, message: Mapping[str, Any], *, tokens: int = 0) -> None:
        """Add a message; see ChatDesk."""
        said = ChatMessage(
            number=number,
            run_id=self._run_id,
            body=message,
            tokens=tokens,
            created_us=self._copilot.clock.now_us(),
        )
        await self._copilot.chats.of(self._user_id).say(self._chat_id, said)

    def tools(self) -> Sequence[Tool]:
        """Return what may be called; see ChatDesk."""
        return [tool for tool, _ in TOOLS.values()]

    def effect_of(self, name: str) -> Effect:
        """Return what it would do to call a tool twice; see ChatDesk."""
        return TOOLS[name][1]

    async def call(self, name: str, arguments: Mapping[str, Any], *, key: str) -> str:
        """Call a tool; see ChatDesk."""
        most = MOST_OF_ONE.get(name)
        of = str(arguments.get("graph_id") or arguments.get("block") or "")
        if most is not None and await self._calls(name, of) > most:
            what = "block" if name == "run_block" else "agent"
            problem = (
                f"{name} was called {most} times for this {what} in this session: begin another"
            )
            return within({"type": "error", "message": problem}, self._chat_id)
        called = ToolCalled(
            user_id=self._user_id,
            run_id=self._run_id,
            chat_id=self._chat_id,
            key=key,
            arguments=arguments,
        )
        return await self._copilot.tools.call(name, called)

    async def _calls(self, name: str, of: str) -> int:
        """Return how often the session has called a tool for an agent or block, with this time."""
        chats = self._copilot.chats.of(self._user_id)
        found = await chats.messages(self._chat_id, limit=MOST_MESSAGES)
        calls = (call for one in found for call in one.body.get("tool_calls") or ())
        functions = [call.get("function") or {} for call in calls]
        return sum(one.get("name") == name and of in str(one.get("arguments")) for one in functions)
