"""Makes the summaries that are due: for each user, kind and period one notice, however often it looks."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backend.core.ids import UserId
from backend.core.notices import NoticeType
from backend.core.preferences import Preferences
from backend.core.records import NoticeRecord
from backend.core.summaries import KINDS, MOST_AGENTS, Period, due_period, summary, summary_id
from backend.ports.clock import Clock
from backend.ports.notices import NoticeQueue
from backend.ports.preferences import AllPreferences
from backend.ports.summaries import Person, SummaryFacts

_PAGE = 200


class Summarist:
    """See the module. Killed and started again, it makes what is missing, and nothing twice."""

    def __init__(
        self, facts: SummaryFacts, queue: NoticeQueue, preferences: AllPreferences, clock: Clock
    ) -> None:
        self._facts = facts
        self._queue = queue
        self._preferences = preferences
        self._clock = clock
        #: What needs no second look, so that a quiet account costs nothing until its next period.
        self._done: dict[tuple[UserId, NoticeType], str] = {}

    async def look(self) -> str:
        """Make what is due; return how many, in words."""
        now_us, made = self._clock.now_us(), 0
        after: UserId | None = None
        while people := await self._facts.people(after=after, limit=_PAGE):
            wanted = await self._preferences.some([one.id for one in people], now_us=now_us)
            due = {
                summary_id(person.id, period): (person, period)
                for person in people
                for kind in KINDS
                if (period := self._due(person, kind, wanted.get(person.id), now_us)) is not None
            }
            known = await self._facts.known(due) if due else set()
            for id_, (person, period) in due.items():
                if id_ not in known and (notice := await self._made(person, period, now_us)):
                    await self._queue.add([notice])
                    made += 1
                self._done[person.id, period.kind] = id_
            after = people[-1].id
        return f"{made} summaries"

    def _due(
        self, person: Person, kind: NoticeType, wanted: Preferences | None, now_us: int
    ) -> Period | None:
        if wanted is None or not wanted.wants(kind):
            return None
        period = due_period(kind, _zone(person.timezone), now_us=now_us)
        if period is None or self._done.get((person.id, kind)) == summary_id(person.id, period):
            return None
        return period

    async def _made(self, person: Person, period: Period, now_us: int) -> NoticeRecord | None:
        found = await self._facts.totals(
            person.id,
            start_us=round(period.start.timestamp() * 1_000_000),
            end_us=round(period.end.timestamp() * 1_000_000),
            agents=MOST_AGENTS,
        )
        return None if found is None else summary(person.id, period, found, now_us=now_us)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
