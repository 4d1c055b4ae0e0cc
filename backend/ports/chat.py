"""Where conversations with the copilot are kept: each reached through its owner."""

from typing import Protocol

from backend.core.chat import Chat, ChatId, ChatMessage, Turn
from backend.core.ids import ExecutionId, UserId
from backend.core.records import NewExecution


class UserChats(Protocol):
    """Those of one user. Somebody else's is like one that does not exist."""

    async def add(self, chat_id: ChatId, *, now_us: int, most: int) -> Chat:
        """
        Begin a conversation in which nothing was said yet.

        Raises:
            Conflict: If the user has *most* of them.
        """

    async def page(self, *, skip: int, most: int) -> tuple[list[Chat], int]:
        """Return conversations after *skip* of them, last changed first, and how many there are."""

    async def get(self, chat_id: ChatId) -> Chat | None:
        """Return a conversation."""

    async def messages(
        self, chat_id: ChatId, *, limit: int, run_id: ExecutionId | None = None, after: int = -1
    ) -> list[ChatMessage]:
        """
        Return the newest *limit* messages with a number above *after*, oldest first.

        With *run_id* those of that turn.
        """

    async def begin(self, chat_id: ChatId, run: NewExecution, message: ChatMessage) -> Turn:
        """
        Add a message and the run that answers it, QUEUED; both or neither.

        The same run twice is the turn that is there. *message* gets the next number.

        Raises:
            NotFound: If there is no such conversation.
            Conflict: If its newest turn has not ended, if *run* is a turn of another one, or if
                there are as many messages as one may have.
            TooLarge: If the message is over the limit of values.
        """

    async def say(self, chat_id: ChatId, message: ChatMessage) -> None:
        """
        Add what a turn says, as the message of its number. Twice is once.

        Raises:
            StaleAttempt: If another turn has begun, or another message has this number.
        """


class Chats(Protocol):
    """Those of all users."""

    def of(self, user_id: UserId) -> UserChats:
        """Return those of *user_id*."""


class ChatRetention(Protocol):
    """Old conversations."""

    async def delete_old(self, before_us: int, *, limit: int) -> int:
        """
        Delete up to *limit* rows of conversations that did not change since *before_us*.

        Returns:
            How many rows; 0: none are left. One with a turn that has not ended stays.
        """
