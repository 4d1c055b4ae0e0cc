"""What every audit log promises: subclass it, and give the fixtures of your adapter."""

from dataclasses import replace
from typing import Final

from backend.core.audit import Actor, AuditEntry, By, Head, Outcome
from backend.ports.audit import AuditLog, AuditQuery

ENTRY: Final = AuditEntry(
    at_us=1_000,
    actor=Actor(
        who="ann",
        by=By.KEY,
        by_id="key-1",
        acting_for="bob",
        address="192.0.2.7",
        request_id="r-1",
    ),
    verb="delete",
    kind="graph",
    object_id="graph-1",
    outcome=Outcome.DONE,
    facts={"version": 3, "name": "größer", "forced": True, "before": None},
)


class AuditLogSpec:
    """The promises."""

    async def test_an_entry_comes_back_as_it_was_given(self, log: AuditLog) -> None:
        """With its number."""
        await log.append(ENTRY)

        [found] = await log.listed(AuditQuery())

        assert (found.seq, found.entry) == (1, ENTRY)

    async def test_the_newest_come_first_a_page_at_a_time(self, log: AuditLog) -> None:
        """The last number of a page is where the next begins."""
        for number in range(5):
            await log.append(replace(ENTRY, object_id=str(number)))

        first = await log.listed(AuditQuery(limit=2))
        second = await log.listed(AuditQuery(limit=2, before=first[-1].seq))

        assert [one.entry.object_id for one in (*first, *second)] == ["4", "3", "2", "1"]

    async def test_a_query_finds_what_it_names(self, log: AuditLog) -> None:
        """Each of its fields alone."""
        other = replace(ENTRY, actor=replace(ENTRY.actor, who="cy"))
        others = [
            replace(ENTRY, verb="create"),
            replace(ENTRY, kind="preset"),
            replace(ENTRY, object_id="graph-2"),
        ]
        for entry in (ENTRY, other, *others):
            await log.append(entry)

        assert [one.entry for one in await log.listed(AuditQuery(who="cy"))] == [other]
        for query, entry in zip(
            (
                AuditQuery(verb="create"),
                AuditQuery(kind="preset"),
                AuditQuery(object_id="graph-2"),
            ),
            others,
            strict=True,
        ):
            assert [one.entry for one in await log.listed(query)] == [entry]

    async def test_the_chain_holds_and_ends_with_the_head(self, log: AuditLog) -> None:
        """Also against a head that was kept at any time before."""
        assert await log.head() is None
        assert await log.verify() == []
        kept: list[Head | None] = []
        for number in range(4):
            await log.append(replace(ENTRY, object_id=str(number)))
            kept.append(await log.head())

        assert [head and head.seq for head in kept] == [1, 2, 3, 4]
        for head in kept:
            assert await log.verify(head) == []

    async def test_a_head_that_the_log_never_had_is_found(self, log: AuditLog) -> None:
        """Whether its number is there or not."""
        await log.append(ENTRY)

        for seq in (1, 2):
            [found] = await log.verify(Head(seq=seq, hash="f" * 64))
            assert found.seq == seq

    async def test_what_is_old_goes_from_the_front_and_the_chain_still_holds(
        self, log: AuditLog
    ) -> None:
        """With a row that says so; also after the second time, and against heads from before."""
        heads = []
        for number in range(6):
            await log.append(replace(ENTRY, at_us=number, object_id=str(number)))
            heads.append(await log.head())

        assert await log.expire(before_us=2, now_us=100, limit=10) == len(heads[:2])
        assert await log.verify() == []
        assert await log.expire(before_us=4, now_us=101, limit=1) == 1
        assert await log.expire(before_us=4, now_us=101, limit=10) == 1
        assert await log.expire(before_us=4, now_us=101, limit=10) == 0

        assert await log.verify() == []
        for head in heads:
            assert await log.verify(head) == []
        rows = await log.listed(AuditQuery())
        assert [one.entry.verb for one in rows] == ["expire"] * 3 + ["delete"] * 2
        assert rows[0].entry.facts["through"] == len(heads[:4])

    async def test_what_is_old_and_behind_something_new_stays(self, log: AuditLog) -> None:
        """A clock that was set back must not tear a hole into the chain."""
        for at_us in (5, 1, 6):
            await log.append(replace(ENTRY, at_us=at_us))

        assert await log.expire(before_us=2, now_us=100, limit=10) == 0

    async def test_long_texts_are_cut_and_broken_ones_mended(self, log: AuditLog) -> None:
        """What a client sends must neither fill the log nor keep a row out of it."""
        long = replace(ENTRY, object_id="x" * 10_000, facts={"a": "y" * 10_000, "b": "\ud800"})

        await log.append(long)

        [found] = await log.listed(AuditQuery())
        assert found.entry.object_id == "x" * 200
        assert found.entry.facts == {"a": "y" * 200, "b": "?"}
        assert await log.verify() == []
