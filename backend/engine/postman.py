"""Takes notices from their queue, gathers them by owner and kind, and sends each once.

Queued in the transaction that causes them; marked as sent after they left. A crash in between
sends the same letter again, with the same key.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import structlog

from backend.core.errors import AgentServerError, BadRequest, Unavailable
from backend.core.ids import UserId, derived_id
from backend.core.records import NoticeRecord, NoticeStatus, UserRecord
from backend.engine import letters
from backend.ports.clock import Clock
from backend.ports.mail import Letter, Mailer
from backend.ports.storage import SystemStorage

log = structlog.get_logger()

POLL_S: Final = 1.0
_AT_ONCE: Final = 1_000
_ATTEMPTS: Final = 10
_BACK_OFF_FIRST_S: Final = 30
_BACK_OFF_MOST_S: Final = 3_600


class Postman:
    """See the module. `serve` must run."""

    def __init__(self, storage: SystemStorage, mailer: Mailer, clock: Clock) -> None:
        self._storage = storage
        self._mailer = mailer
        self._clock = clock
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
        users = {user.id: user for user in await self._storage.users([u for u, _ in groups])}
        for (user_id, kind), notices in groups.items():
            await self._deliver(users.get(user_id), kind, notices)
        return len(due)

    async def _deliver(
        self, user: UserRecord | None, kind: str, notices: Sequence[NoticeRecord]
    ) -> None:
        ids = [notice.id for notice in notices]
        if user is None or not user.email or user.preferences.get(kind) is False:
            await self._mark(ids, NoticeStatus.DROPPED)
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
            await self._mark(ids, NoticeStatus.SENT)

    def _letter(self, user: UserRecord, kind: str, notices: Sequence[NoticeRecord]) -> Letter:
        text, html = letters.bodies(kind, notices)
        return Letter(
            key=derived_id(*(notice.id for notice in notices)),
            to=user.email,
            subject=letters.subject(kind, notices),
            text=text,
            html=html,
            sent_us=max(notice.created_us for notice in notices),
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
