"""The spec of the queue of notices: what every adapter must do."""

from dataclasses import replace
from typing import Final

from backend.core.ids import UserId
from backend.core.notice_repeats import QUIET_US, Repeat
from backend.core.records import NoticeRecord, NoticeStatus
from backend.ports.notices import Group, NoticeQuery, NoticeQueue

ANN: Final = UserId("ann")
BOB: Final = UserId("bob")
RUNS: Final = Group(user_id=ANN, type="AGENT_RUN")


def notice(
    id_: str, *, at_us: int = 1, due_us: int | None = None, user: UserId = ANN
) -> NoticeRecord:
    """Return a notice of a run."""
    return NoticeRecord(
        id=id_,
        user_id=user,
        type="AGENT_RUN",
        data={"agent_name": id_},
        created_us=at_us,
        next_us=at_us if due_us is None else due_us,
    )


class NoticeQueueSpec:
    """Give a fixture `queue`, empty; every test must pass."""

    async def test_what_is_queued_twice_is_there_once_and_due_when_it_says(
        self, queue: NoticeQueue
    ) -> None:
        for _ in range(2):
            await queue.add([notice("a"), notice("b", due_us=7)])

        assert [one.id for one in await queue.due(now_us=6, limit=9)] == ["a"]
        later = await queue.due(now_us=7, limit=9)
        assert [(one.id, one.was_gathered) for one in later] == [("a", False), ("b", True)]

    async def test_a_letter_keeps_its_notices_whatever_comes_later(
        self, queue: NoticeQueue
    ) -> None:
        await queue.add([notice("a"), notice("b", at_us=2, due_us=99), notice("c", user=BOB)])

        assert await queue.put_in_letter("due", RUNS, due_us=9, limit=9) == 1
        assert await queue.put_in_letter("all", RUNS, due_us=None, limit=9) == 1
        await queue.add([notice("d")])

        assert [one.id for one in (await queue.contents("due", limit=9)).notices] == ["a"]
        assert [one.id for one in (await queue.contents("all", limit=9)).notices] == ["b"]

    async def test_a_letter_with_more_than_is_shown_says_how_many(self, queue: NoticeQueue) -> None:
        await queue.add([notice(str(n), at_us=n) for n in range(1, 6)])
        await queue.put_in_letter("l", RUNS, due_us=None, limit=9)

        found = await queue.contents("l", limit=2)

        assert ([one.id for one in found.notices], found.count) == (["1", "2"], 5)

    async def test_what_was_sent_is_due_no_more_and_what_failed_is_again(
        self, queue: NoticeQueue
    ) -> None:
        await queue.add([notice("a"), notice("b")])
        await queue.put_in_letter("l", RUNS, due_us=9, limit=9)

        steps = [
            await queue.mark(
                "l", status=NoticeStatus.QUEUED, at_us=9, error="away", next_us=50, limit=1
            )
            for _ in range(3)
        ]
        assert steps == [1, 1, 0]
        assert await queue.due(now_us=49, limit=9) == []
        again = (await queue.contents("l", limit=9)).notices
        assert [(one.attempts, one.error) for one in again] == [(1, "away")] * 2
        await queue.mark("l", status=NoticeStatus.SENT, at_us=51, limit=9)

        assert await queue.due(now_us=99, limit=9) == []
        sent = await queue.get("a")
        assert sent is not None
        assert (sent.status, sent.sent_us, sent.letter) == (NoticeStatus.SENT, 51, "l")

    async def test_only_one_cause_is_postponed_or_dropped(self, queue: NoticeQueue) -> None:
        await queue.add(
            [replace(notice("a"), cause="x"), replace(notice("b"), cause="y"), notice("c")]
        )
        x, y = replace(RUNS, cause="x"), replace(RUNS, cause="y")

        assert await queue.postpone(x, due_us=9, next_us=50, limit=9) == 1
        assert await queue.drop(y, due_us=9, because="why", limit=9) == 1

        assert [one.id for one in await queue.due(now_us=9, limit=9)] == ["c"]
        dropped = await queue.get("b")
        assert dropped is not None
        assert (dropped.status, dropped.error) == (NoticeStatus.DROPPED, "why")

    async def test_repeats_are_kept_by_cause_until_they_are_long_quiet(
        self, queue: NoticeQueue
    ) -> None:
        first = Repeat(told=1, told_us=5)
        await queue.note_repeats(RUNS, {"x": first, "y": first}, now_us=5)
        second = Repeat(told=2, told_us=9)
        await queue.note_repeats(RUNS, {"x": second}, now_us=9)

        assert await queue.repeats(RUNS) == {"x": second, "y": first}
        assert await queue.repeats(replace(RUNS, user_id=BOB)) == {}
        await queue.note_repeats(RUNS, {}, now_us=2 * QUIET_US + 7)
        assert await queue.repeats(RUNS) == {"x": second}

    async def test_what_was_given_up_is_counted_until_it_is_retried_or_dismissed(
        self, queue: NoticeQueue
    ) -> None:
        await queue.add([notice("a"), notice("b")])
        await queue.put_in_letter("l", RUNS, due_us=9, limit=9)
        await queue.mark("l", status=NoticeStatus.FAILED, at_us=9, error="550 no", limit=9)
        assert await queue.failed() == 2

        assert await queue.dismiss("b", because="seen", limit=9) == 1
        assert await queue.failed() == 1
        assert await queue.retry(None, now_us=20, limit=9) == 1
        assert [one.letter for one in await queue.due(now_us=20, limit=9)] == ["l"]
        assert await queue.retry("a", now_us=20, limit=9) == 0
        assert await queue.dismiss(None, because="seen", limit=9) == 0

    async def test_the_list_has_pages_and_shows_what_is_asked_for(self, queue: NoticeQueue) -> None:
        await queue.add([notice(f"n{n}", at_us=n // 2) for n in range(6)])
        await queue.add([replace(notice("z", at_us=9, user=BOB), type="LOW_BALANCE")])
        await queue.drop(Group(user_id=BOB, type="LOW_BALANCE"), due_us=9, because="why", limit=9)

        first = await queue.listed(NoticeQuery(limit=3))
        last = first[-1]
        rest = await queue.listed(NoticeQuery(before=(last.created_us, last.id)))

        assert [one.id for one in (*first, *rest)] == ["z", "n5", "n4", "n3", "n2", "n1", "n0"]
        for query in (
            NoticeQuery(status=NoticeStatus.DROPPED),
            NoticeQuery(type="LOW_BALANCE"),
            NoticeQuery(user_id=BOB),
        ):
            assert [one.id for one in await queue.listed(query)] == ["z"]
        assert await queue.listed(NoticeQuery(status=NoticeStatus.FAILED)) == []
