"""Takes notices from their queue, gathers them by owner and kind, and sends each once.

Queued in the transaction that causes them; marked as sent after they left. A crash in between
sends the same letter again, with the same key.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from backend.core.errors import AgentServerError, BadRequest, Unavailable
from backend.core.ids import UserId, derived_id
from backend.core.preferences import DAY_US, Preferences, day_of
from backend.core.records import NoticeRecord, NoticeStatus
from backend.engine import letters
from backend.ports.clock import Clock
from backend.ports.mail import Letter, Mailer
from backend.ports.preferences import AllPreferences
from backend.ports.storage import SystemStorage

log = structlog.get_logger()

POLL_S: Final = 1.0
_AT_ONCE: Final = 1_000
_ATTEMPTS: Final = 10
_BACK_OFF_FIRST_S: Final = 30
_BACK_OFF_MOST_S: Final = 3_600
#: The address of an account that has none.
_NOBODY: Final = "@users.invalid"


class Postman:
    """See the module. `serve` must run."""

    def __init__(
        self,
        storage: SystemStorage,
        mailer: Mailer,
        clock: Clock,
        preferences: AllPreferences,
        *,
        limited: bool = True,
        unsubscribe_url: Callable[[UserId], str] = lambda _: "",
    ) -> None:
        """
        Send what people want by *mailer*.

        Args:
            limited: Whether people's daily limits hold: a folder on this machine pesters nobody.
            unsubscribe_url: Returns where a user's letters are ended; empty: nowhere.
        """
        self._storage = storage
        self._mailer = mailer
        self._clock = clock
        self._preferences = preferences
        self._limited = limited
        self._unsubscribe_url = unsubscribe_url
        self.sent = 0
        self.failed = 0

    async def serve(self) -> None:
        """Deliver what is due, until cancelled."""
        while True:
            try:
                await self.deliver_due()
            except Unavailable as exc:
                log.warning("notices_wait", error=str(exc))
            await asyncio.sleep(POLL_S)

    async def deliver_due(self) -> int:
        """Send all notices that are due; return how many were dealt with."""
        due = await self._storage.queued_notices(now_us=self._clock.now_us(), limit=_AT_ONCE)
        groups: defaultdict[tuple[UserId, str], list[NoticeRecord]] = defaultdict(list)
        for notice in due:
            groups[notice.user_id, notice.type].append(notice)
        for (user_id, kind), notices in groups.items():
            # Each time anew: the letter before may have been the last one of the day.
            now_us = self._clock.now_us()
            wanted = await self._preferences.some([user_id], now_us=now_us)
            await self._deliver(wanted.get(user_id), kind, notices)
        return len(due)

    async def _deliver(
        self, user: Preferences | None, kind: str, notices: Sequence[NoticeRecord]
    ) -> None:
        ids = [notice.id for notice in notices]
        if user is None or not _is_reachable(user.email) or not user.wants(kind):
            await self._mark(ids, NoticeStatus.DROPPED)
            return
        if self._limited and not user.has_room:
            # They go together with those of tomorrow.
            tomorrow_us = (day_of(self._clock.now_us()) + 1) * DAY_US
            await self._mark(ids, NoticeStatus.QUEUED, next_us=tomorrow_us)
            return
        try:
            await self._mailer.send(self._letter(user, kind, notices))
        except BadRequest as exc:
            self.failed += len(ids)
            log.warning("notice_refused", kind=kind, error=str(exc))
            await self._mark(ids, NoticeStatus.FAILED, error=str(exc))
        except AgentServerError as exc:
            await self._try_later(notices, str(exc))
        else:
            self.sent += len(ids)
            await self._preferences.note_letter(user.user_id, now_us=self._clock.now_us())
            await self._mark(ids, NoticeStatus.SENT)

    def _letter(self, user: Preferences, kind: str, notices: Sequence[NoticeRecord]) -> Letter:
        url = self._unsubscribe_url(user.user_id)
        text, html = letters.bodies(kind, notices, url)
        return Letter(
            key=derived_id(*(notice.id for notice in notices)),
            to=user.email,
            subject=letters.subject(kind, notices),
            text=text,
            html=html,
            sent_us=max(notice.created_us for notice in notices),
            unsubscribe_url=url,
        )

    async def _try_later(self, notices: Sequence[NoticeRecord], error: str) -> None:
        attempts = max(notice.attempts for notice in notices) + 1
        ids = [notice.id for notice in notices]
        if attempts >= _ATTEMPTS:
            self.failed += len(ids)
            log.error("notices_given_up", count=len(ids), attempts=attempts, error=error)
            await self._mark(ids, NoticeStatus.FAILED, error=error)
            return
        pause_s = min(_BACK_OFF_FIRST_S * 2 ** (attempts - 1), _BACK_OFF_MOST_S)
        log.warning("notices_delayed", count=len(ids), again_in_s=pause_s, error=error)
        next_us = self._clock.now_us() + pause_s * 1_000_000
        await self._mark(ids, NoticeStatus.QUEUED, error=error, next_us=next_us)

    async def _mark(
        self,
        ids: Sequence[str],
        status: NoticeStatus,
        *,
        error: str | None = None,
        next_us: int = 0,
    ) -> None:
        # In small groups: a transaction of a thousand rows would make the executor wait.
        for start in range(0, len(ids), 200):
            await self._storage.mark_notices(
                ids[start : start + 200],
                status=status,
                at_us=self._clock.now_us(),
                error=error,
                next_us=next_us,
            )


def _is_reachable(address: str) -> bool:
    return bool(address) and not address.endswith(_NOBODY)
