"""The queue of notices, as whoever runs this server sees it, and what letters look like."""

from collections.abc import Callable, Sequence
from typing import Final

from backend.core.errors import NotFound
from backend.core.notices import NoticeType
from backend.core.preferences import Bounced
from backend.core.records import NoticeRecord
from backend.ports.clock import Clock
from backend.ports.mail import Letter
from backend.ports.notices import MAX_PAGE, NoticeQuery, NoticeQueue
from backend.ports.preferences import AllPreferences

__all__ = ["MAX_PAGE", "NoticeQuery", "NoticeService"]

_STEP: Final = 200


class NoticeService:
    """For administrators: notices of all users."""

    def __init__(
        self,
        *,
        queue: NoticeQueue,
        people: AllPreferences,
        clock: Clock,
        sample: Callable[[NoticeType], Letter],
        as_bytes: Callable[[Letter], bytes],
    ) -> None:
        """
        Look after *queue*.

        Args:
            sample: Returns a letter of a kind about made-up things.
            as_bytes: Returns a letter as it goes over the wire.
        """
        self._queue = queue
        self._people = people
        self._clock = clock
        self._sample = sample
        self._as_bytes = as_bytes

    async def listed(self, query: NoticeQuery) -> Sequence[NoticeRecord]:
        """Return notices, newest first."""
        return await self._queue.listed(query)

    async def get(self, id_: str) -> NoticeRecord:
        """
        Return one.

        Raises:
            NotFound: If there is none.
        """
        found = await self._queue.get(id_)
        if found is None:
            raise NotFound(f"there is no notice {id_[:200]}")
        return found

    async def retry(self, id_: str | None) -> int:
        """
        Queue one that was given up or dropped again, with what failed with it; None: all given up.

        Returns:
            How many were queued.

        Raises:
            NotFound: If there is no such one.
        """
        if id_ is not None:
            await self.get(id_)
        done = 0
        while True:
            count = await self._queue.retry(id_, now_us=self._clock.now_us(), limit=_STEP)
            done += count
            if count < _STEP:
                return done

    async def dismiss(self, id_: str | None, *, because: str) -> int:
        """
        Drop one that has not left; None: all that were given up.

        Returns:
            How many were dropped.

        Raises:
            NotFound: If there is no such one.
        """
        if id_ is not None:
            await self.get(id_)
        done = 0
        while True:
            count = await self._queue.dismiss(id_, because=because, limit=_STEP)
            done += count
            if count < _STEP:
                return done

    async def bounced(self, *, limit: int) -> Sequence[Bounced]:
        """Return addresses that have refused letters, the last refusal first."""
        return await self._people.bounced(limit=limit)

    def preview(self, kind: NoticeType) -> Letter:
        """
        Return a letter of *kind* about made-up things.

        Raises:
            CannotStart: If an operator's template is unfit.
        """
        return self._sample(kind)

    def message(self, letter: Letter) -> bytes:
        """Return *letter* as it goes over the wire, with its headers."""
        return self._as_bytes(letter)
