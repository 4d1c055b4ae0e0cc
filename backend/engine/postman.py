"""Takes notices from their queue, puts them into letters, and sends each letter once.

A notice is queued in the transaction that causes it. Before a letter leaves, its notices are noted
to be in it; after it left, they are marked. Who is killed in between sends the same letter again,
with the same key.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, assert_never

import structlog

from backend.core.errors import AddressRefused, AgentServerError, BadRequest, Unavailable
from backend.core.ids import UserId, derived_id
from backend.core.notice_repeats import Repeat, told_at
from backend.core.notice_verdicts import Dropped, Goes, Verdict, Waits, verdict_on
from backend.core.notices import STRATEGIES, Strategy
from backend.core.preferences import Preferences
from backend.core.records import NoticeStatus
from backend.engine.letters import LISTED, LetterWriter
from backend.ports.clock import Clock
from backend.ports.mail import Letter, Mailer
from backend.ports.notices import Contents, Due, Group, NoticeQueue
from backend.ports.preferences import AllPreferences

log = structlog.get_logger()

POLL_S: Final = 1.0
_COUNT_EVERY_US: Final = 30 * 1_000_000
_AT_ONCE: Final = 1_000
#: Rows of one transaction: more would make the executor wait.
_STEP: Final = 200
#: Notices of one letter; what is more goes into the next one.
_LETTER_MOST: Final = 20_000
_ATTEMPTS: Final = 10
_BACK_OFF_FIRST_S: Final = 30
_BACK_OFF_MOST_S: Final = 3_600


class Postman:
    """
    See the module. `serve` must run.

    Attributes:
        sent: Notices that left.
        failed: Notices given up.
        undelivered: Notices of all times that were given up and that nobody has looked at.
    """

    def __init__(
        self,
        queue: NoticeQueue,
        mailer: Mailer,
        clock: Clock,
        preferences: AllPreferences,
        writer: LetterWriter,
        *,
        limited: bool = True,
        operator: str = "",
        unsubscribe_url: Callable[[UserId], str] = lambda _: "",
    ) -> None:
        """
        Send what people want by *mailer*.

        Args:
            limited: Whether people's daily limits hold: a folder on this machine pesters nobody.
            operator: The address for what concerns whoever runs this; empty: none.
            unsubscribe_url: Returns where a user's letters are ended; empty: nowhere.
        """
        self._queue = queue
        self._mailer = mailer
        self._clock = clock
        self._preferences = preferences
        self._writer = writer
        self._limited = limited
        self._operator = operator
        self._unsubscribe_url = unsubscribe_url
        self._counted_us = 0
        self.sent = 0
        self.failed = 0
        self.undelivered = 0

    async def serve(self) -> None:
        """Deliver what is due, until cancelled."""
        while True:
            try:
                await self.deliver_due()
                await self._count()
            except Unavailable as exc:
                log.warning("notices_wait", error=str(exc))
            await asyncio.sleep(POLL_S)

    async def deliver_due(self) -> int:
        """Deal with what is due; return how many letters left."""
        due = await self._queue.due(now_us=self._clock.now_us(), limit=_AT_ONCE)
        groups: defaultdict[Group, list[Due]] = defaultdict(list)
        for one in due:
            if one.letter is None:
                groups[Group(user_id=one.user_id, type=one.type)].append(one)
        left = 0
        for letter in dict.fromkeys(one.letter for one in due if one.letter is not None):
            left += await self._again(letter)
        for group, waiting in groups.items():
            left += await self._begin(group, waiting)
        return left

    async def _again(self, letter: str) -> bool:
        """Send a letter that was begun before."""
        contents = await self._queue.contents(letter, limit=LISTED)
        if not contents.count:
            return False
        first = contents.notices[0]
        verdict, user = await self._verdict(Group(user_id=first.user_id, type=first.type))
        match verdict:
            case Dropped(because=because):
                await self._mark(letter, NoticeStatus.DROPPED, error=because)
                return False
            case Waits(until_us=until_us):
                await self._mark(letter, NoticeStatus.QUEUED, next_us=until_us)
                return False
            case Goes():
                return await self._send(letter, contents, verdict, user)
            case _:
                assert_never(verdict)

    async def _begin(self, group: Group, waiting: Sequence[Due]) -> bool:
        """Put what waits into a letter, and send it."""
        verdict, user = await self._verdict(group)
        now_us = self._clock.now_us()
        match verdict:
            case Dropped(because=because):
                await self._in_steps(
                    lambda: self._queue.drop(group, due_us=now_us, because=because, limit=_STEP)
                )
                return False
            case Waits(until_us=until_us):
                await self._postpone(group, until_us)
                return False
            case Goes():
                letter = derived_id("letter", group.user_id, group.type, waiting[0].id)
                if not await self._fill(letter, group, waiting):
                    return False
                contents = await self._queue.contents(letter, limit=LISTED)
                return await self._send(letter, contents, verdict, user)
            case _:
                assert_never(verdict)

    async def _fill(self, letter: str, group: Group, waiting: Sequence[Due]) -> int:
        now_us = self._clock.now_us()
        due_us: int | None = now_us
        new: Mapping[str, Repeat] = {}
        match STRATEGIES.get(group.type, Strategy.IMMEDIATE):
            case Strategy.BACKOFF:
                new = await self._may_be_told(group, waiting)
                groups = [replace(group, cause=cause) for cause in new]
            case Strategy.BATCH:
                groups = [group]
                if any(one.was_gathered for one in waiting):
                    due_us = None  # those that came later go with the first
            case Strategy.IMMEDIATE | Strategy.SUMMARY | Strategy.ADMIN:
                groups = [group]
        count = 0
        for part in groups:
            count += await self._in_steps(
                lambda part=part: self._queue.put_in_letter(  # type: ignore[misc] # bound now
                    letter, part, due_us=due_us, limit=_STEP
                )
            )
        if new:
            # From now on it counts as told: should the letter have to wait, what comes meanwhile
            # waits for the next one.
            await self._queue.note_repeats(group, new, now_us=now_us)
        return count

    async def _may_be_told(self, group: Group, waiting: Sequence[Due]) -> Mapping[str, Repeat]:
        """Return, by cause, those whose pause is over; the others are postponed to its end."""
        repeats, now_us = await self._queue.repeats(group), self._clock.now_us()
        told = {}
        # The oldest of each cause: it says whether it had been quiet.
        for cause, came_us in {due.cause: due.created_us for due in reversed(waiting)}.items():
            before = repeats.get(cause)
            if before is None or now_us >= before.again_us:
                told[cause] = told_at(before, came_us=came_us, now_us=now_us)
            else:
                await self._postpone(replace(group, cause=cause), before.again_us)
        return told

    async def _postpone(self, group: Group, until_us: int) -> None:
        now_us = self._clock.now_us()
        await self._in_steps(
            lambda: self._queue.postpone(group, due_us=now_us, next_us=until_us, limit=_STEP)
        )

    async def _verdict(self, group: Group) -> tuple[Verdict, Preferences | None]:
        # Each time anew: the letter before may have been the last one of the day.
        now_us = self._clock.now_us()
        found = await self._preferences.some([group.user_id], now_us=now_us)
        user = found.get(group.user_id)
        verdict = verdict_on(
            group.type, user, operator=self._operator, limited=self._limited, now_us=now_us
        )
        return verdict, user

    async def _send(
        self, letter: str, contents: Contents, goes: Goes, user: Preferences | None
    ) -> bool:
        kind = contents.notices[0].type
        try:
            await self._mailer.send(self._letter(letter, contents, goes))
        except AddressRefused as exc:
            if user is not None and goes.counts:
                await self._preferences.note_bounce(
                    user.email, error=str(exc), now_us=self._clock.now_us()
                )
            await self._give_up(letter, kind, str(exc))
        except BadRequest as exc:
            await self._give_up(letter, kind, str(exc))
        except AgentServerError as exc:
            await self._try_later(letter, contents, str(exc))
        else:
            await self._note_sent(letter, contents, goes)
            return True
        return False

    def _letter(self, key: str, contents: Contents, goes: Goes) -> Letter:
        first = contents.notices[0]
        url = self._unsubscribe_url(first.user_id) if goes.counts else ""
        words = self._writer.write(contents.notices, contents.count, unsubscribe_url=url)
        return Letter(
            key=key,
            to=goes.to,
            subject=words.subject,
            text=words.text,
            html=words.html,
            sent_us=max(notice.created_us for notice in contents.notices),
            unsubscribe_url=url,
        )

    async def _note_sent(self, letter: str, contents: Contents, goes: Goes) -> None:
        if goes.counts:
            user_id = contents.notices[0].user_id
            await self._preferences.note_letter(user_id, now_us=self._clock.now_us())
        self.sent += await self._mark(letter, NoticeStatus.SENT)

    async def _give_up(self, letter: str, kind: str, error: str) -> None:
        log.warning("notice_refused", kind=kind, error=error)
        self.failed += await self._mark(letter, NoticeStatus.FAILED, error=error)

    async def _try_later(self, letter: str, contents: Contents, error: str) -> None:
        attempts = max(notice.attempts for notice in contents.notices) + 1
        if attempts >= _ATTEMPTS:
            log.error("notices_given_up", count=contents.count, attempts=attempts, error=error)
            self.failed += await self._mark(letter, NoticeStatus.FAILED, error=error)
            return
        pause_s = min(_BACK_OFF_FIRST_S * 2 ** (attempts - 1), _BACK_OFF_MOST_S)
        log.warning("notices_delayed", count=contents.count, again_in_s=pause_s, error=error)
        next_us = self._clock.now_us() + pause_s * 1_000_000
        await self._mark(letter, NoticeStatus.QUEUED, error=error, next_us=next_us)

    async def _mark(
        self, letter: str, status: NoticeStatus, *, error: str | None = None, next_us: int = 0
    ) -> int:
        at_us = self._clock.now_us()
        return await self._in_steps(
            lambda: self._queue.mark(
                letter, status=status, at_us=at_us, error=error, next_us=next_us, limit=_STEP
            )
        )

    async def _in_steps(self, step: Callable[[], Awaitable[int]]) -> int:
        done = 0
        while done < _LETTER_MOST:
            count = await step()
            done += count
            if count < _STEP:
                break
        return done

    async def _count(self) -> None:
        now_us = self._clock.now_us()
        if now_us - self._counted_us >= _COUNT_EVERY_US:
            self._counted_us = now_us
            self.undelivered = await self._queue.failed()
