"""A conversation with the copilot, as the block that answers in it may know it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from backend.core.block import Effect
from backend.core.models import Tool


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """
    One message.

    Attributes:
        message: In OpenAI's shape.
        is_own: Whether it belongs to the turn that is answered.
        tokens: That it took to be said.
    """

    number: int
    message: Mapping[str, Any]
    is_own: bool
    tokens: int = 0


class ChatDesk(Protocol):
    """One conversation of the user whose run it is, and what may be done there for them."""

    async def said(self) -> Sequence[Said]:
        """
        Return the newest messages, oldest first, all of this turn among them.

        Raises:
            NotFound: If there is no such conversation, or it is somebody else's.
        """

    async def say(self, number: int, message: Mapping[str, Any], *, tokens: int = 0) -> None:
        """Add a message, as the next of its conversation. Twice is once."""

    def tools(self) -> Sequence[Tool]:
        """Return what may be called; always the same."""

    def effect_of(self, name: str) -> Effect:
        """Return what it would do to call a tool twice with one key."""

    async def call(self, name: str, arguments: Mapping[str, Any], *, key: str) -> str:
        """
        Return what a tool says: the JSON text of an object with ``type`` and ``message``.

        What is wrong about a call is told there, too. *key* is the same for each try of one call.
        """


class ChatDesks(Protocol):
    """The conversations of the user whose run it is; only in a run that is a turn."""

    def of(self, chat_id: str) -> ChatDesk:
        """Return one of them."""
