"""The queue of notices: what is due, and in which letter each of them leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.core.ids import UserId
from backend.core.notice_repeats import Repeat
from backend.core.records import NoticeRecord, NoticeStatus

#: Rows of one page of the list.
MAX_PAGE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """
    A notice that is due, without what it says.

    Attributes:
        letter: The letter in which it leaves; None: it is in none yet.
        was_gathered: Whether it had to wait, so that others come with it.
    """

    id: str
    user_id: UserId
    type: str
    cause: str
    created_us: int
    letter: str | None
    was_gathered: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Notices that wait for a letter. *cause* None: whatever it is."""

    user_id: UserId
    type: str
    cause: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """
    What is in a letter that has not left.

    Attributes:
        notices: The oldest of them.
        count: How many there are.
    """

    notices: Sequence[NoticeRecord]
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeQuery:
    """
    Which notices a list shows; what is empty is not asked.

    Attributes:
        before: The place where the last page ended.
    """

    status: NoticeStatus | None = None
    type: str = ""
    user_id: str = ""
    before: tuple[int, str] | None = None
    limit: int = 50


class NoticeQueue(Protocol):
    """Notices of all users."""

    async def add(self, new: Sequence[NoticeRecord]) -> None:
        """Queue notices; those whose id is there already stay as they are."""

    async def due(self, *, now_us: int, limit: int) -> list[Due]:
        """Return notices that are due, oldest first."""

    async def put_in_letter(
        self, letter: str, group: Group, *, due_us: int | None, limit: int
    ) -> int:
        """
        Let notices of *group*, the oldest first, leave in *letter*; return how many did.

        A letter that was begun keeps its notices, whoever is killed meanwhile: what is sent again
        is the same letter.

        Args:
            due_us: Only those that are due at this moment; None: all that wait.
        """

    async def postpone(self, group: Group, *, due_us: int, next_us: int, limit: int) -> int:
        """Let what is due, and in no letter, wait until *next_us*; return how many there were."""

    async def drop(self, group: Group, *, due_us: int, because: str, limit: int) -> int:
        """Give up what is due, and in no letter; return how many there were."""

    async def contents(self, letter: str, *, limit: int) -> Contents:
        """Return what is in *letter* and has not left; at most *limit* of it in full."""

    async def mark(
        self,
        letter: str,
        *,
        status: NoticeStatus,
        at_us: int,
        limit: int,
        error: str | None = None,
        next_us: int = 0,
    ) -> int:
        """
        Note what became of queued notices of *letter*; return of how many.

        Args:
            error: Of an attempt that failed, or why it was dropped.
            next_us: When it is tried again, if it stays queued.
        """

    async def repeats(self, group: Group) -> Mapping[str, Repeat]:
        """Return how often causes of *group* were told; its own cause is not looked at."""

    async def note_repeats(self, group: Group, new: Mapping[str, Repeat], *, now_us: int) -> None:
        """Note how often causes of *group* were told; those that are long quiet are forgotten."""

    async def failed(self) -> int:
        """Return how many notices were given up and wait for somebody to look at them."""

    async def listed(self, query: NoticeQuery) -> list[NoticeRecord]:
        """Return notices, newest first."""

    async def get(self, id_: str) -> NoticeRecord | None:
        """Return one; None if there is none."""

    async def retry(self, id_: str | None, *, now_us: int, limit: int) -> int:
        """
        Queue notices again that were given up or dropped; return how many.

        They leave in the letter in which they were, with its key. Its address counts as one that
        never refused anything.

        Args:
            id_: This one, with all of its letter; None: all that were given up.
        """

    async def dismiss(self, id_: str | None, *, because: str, limit: int) -> int:
        """
        Drop notices that have not left; return how many.

        Args:
            id_: This one; None: all that were given up.
        """
