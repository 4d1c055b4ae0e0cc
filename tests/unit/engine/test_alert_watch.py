"""Alerts over real storage: what is told, once each, whatever ends late or is killed."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.storage import alerts as rows
from backend.adapters.storage.alerts import SqlAlerts
from backend.core.alerts import AlertKind, AlertRule
from backend.core.errors import Unavailable
from backend.core.ids import GraphId
from backend.engine.alert_watch import FAR_US, NEAR_US, AlertWatch
from backend.ports.alerts import Judged
from backend.testing.clock import FakeClock
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, graph
from tests.unit.engine.engine_house import ANN, House, open_house

SIMPLE = graph("simple", {"in": INPUT, "out": OUTPUT}, "in.result -> out.value")
GRAPH = GraphId("simple")


class Alerting:
    """A house with an agent, runs of which end as the tests say."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.clock = FakeClock()
        self.alerts = SqlAlerts(house.storage.database)
        self.watch = self.new_watch()

    def new_watch(self) -> AlertWatch:
        return AlertWatch(self.alerts, self.clock, block_name=lambda id_: f"block {id_}")

    async def add(self, kind: AlertKind, threshold: int = 1, **more: Any) -> AlertRule:
        rule = AlertRule(
            id=f"{kind}-{threshold}",
            user_id=ANN,
            graph_id=GRAPH,
            kind=kind,
            threshold=threshold,
            since_us=self.clock.now_us(),
            **more,
        )
        await self.alerts.add(rule, most=20)
        return rule

    async def end(self, *statuses: str, at_us: int | None = None, **stats: Any) -> list[str]:
        """Let runs end as an executor would, a second apart; return their ids."""
        ids: list[str] = []
        for status in statuses:
            self.clock.pass_time(seconds=1)
            run = await self.house.submit("simple", run_id=self.clock.new_id())
            values = {"error": "no network" if status == "FAILED" else None, **stats}
            ended_us = self.clock.now_us() if at_us is None else at_us
            with self.house.database() as database:
                database.execute(
                    "UPDATE executions SET status = ?, ended_us = ?, stats = ?, created_us = ?"
                    " WHERE id = ?",
                    (status, ended_us, json.dumps(values), self.clock.now_us(), run),
                )
            ids.append(run)
        return ids

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        found = self.house.rows("SELECT type, data FROM notices ORDER BY created_us, id")
        return [(kind, json.loads(text)) for kind, text in found]

    async def rule(self, rule: AlertRule) -> AlertRule:
        found = await self.alerts.get(ANN, GRAPH, rule.id)
        assert found is not None
        return found


@pytest.fixture
async def alerting(tmp_path: Path) -> AsyncIterator[Alerting]:
    async with open_house(tmp_path) as house:
        await house.add(SIMPLE)
        yield Alerting(house)


async def test_a_failed_run_is_told_once_with_what_went_wrong(alerting: Alerting) -> None:
    rule = await alerting.add(AlertKind.FAILED)
    _, failed, _ = await alerting.end("COMPLETED", "FAILED", "TERMINATED")

    assert await alerting.watch.look() == 1
    assert await alerting.watch.look(is_far=True) == 0
    assert await alerting.new_watch().look(is_far=True) == 0

    [(kind, told)] = alerting.told()
    assert kind == "CONTINUOUS_AGENT_ERROR"
    assert (told["agent_name"], told["graph_exec_id"]) == ("simple", failed)
    assert (told["rule"], told["error"]) == ("a run failed", "no network")
    now = await alerting.rule(rule)
    assert (now.fired, now.last_run_id) == (1, failed)


async def test_the_block_that_failed_is_told_where_the_rule_asks(alerting: Alerting) -> None:
    await alerting.add(AlertKind.FAILED, names_block=True)
    [run] = await alerting.end("FAILED")
    with alerting.house.database() as database:
        for ordinal, status in enumerate(("COMPLETED", "FAILED", "FAILED")):
            database.execute(
                "INSERT INTO node_executions (run_id, ordinal, id, node_id, block_id, kind, status,"
                " saved_outputs, add_us, error, revision) VALUES (?, ?, ?, ?, 'b', '', ?, 0, 1, ?, 1)",
                (run, ordinal, f"e{ordinal}", f"n{ordinal}", status, f"error {ordinal}"),
            )

    await alerting.watch.look()

    [(kind, told)] = alerting.told()
    assert kind == "BLOCK_EXECUTION_FAILED"
    assert (told["block_name"], told["node_id"], told["error"]) == ("block b", "n1", "error 1")


@pytest.mark.parametrize(
    ("kind", "threshold", "under", "over", "says"),
    [
        (AlertKind.SLOWER_THAN, 5, {"duration_s": 5.0}, {"duration_s": 5.5}, "it took 5.5 s"),
        (AlertKind.CREDITS_OVER, 7, {"cost": 7}, {"cost": 8}, "it cost 8 credits"),
        (
            AlertKind.MODEL_COST_OVER,
            1000,
            {"models": {"cost_micro_usd": 1000}},
            {"models": {"cost_micro_usd": 2000}},
            "0.002000 US dollars",
        ),
    ],
)
async def test_what_is_over_its_threshold_is_told(
    alerting: Alerting,
    kind: AlertKind,
    threshold: int,
    under: dict[str, Any],
    over: dict[str, Any],
    says: str,
) -> None:
    await alerting.add(kind, threshold)
    await alerting.end("COMPLETED", **under)
    [run] = await alerting.end("COMPLETED", **over)

    await alerting.watch.look()

    [(_, told)] = alerting.told()
    assert told["graph_exec_id"] == run
    assert says in told["error"]


async def test_a_silence_is_told_once_and_the_next_one_too(alerting: Alerting) -> None:
    await alerting.add(AlertKind.NO_RUN_FOR, 3600)
    alerting.clock.pass_time(minutes=59)
    assert await alerting.watch.look() == 0
    alerting.clock.pass_time(minutes=2)
    assert [await alerting.watch.look() for _ in range(3)] == [1, 0, 0]

    await alerting.end("COMPLETED")
    assert await alerting.watch.look() == 0
    alerting.clock.pass_time(minutes=59)
    assert await alerting.watch.look() == 0
    alerting.clock.pass_time(days=2)
    assert [await alerting.watch.look() for _ in range(3)] == [1, 0, 0]
    assert len(alerting.told()) == 2


async def test_what_ended_before_the_rule_does_not_count(alerting: Alerting) -> None:
    await alerting.end("FAILED", "FAILED")
    alerting.clock.pass_time(seconds=1)
    await alerting.add(AlertKind.FAILED_IN_ROW, 2)
    await alerting.end("FAILED")

    assert await alerting.watch.look() == 0


@pytest.mark.parametrize("late_us", [NEAR_US - 10_000_000, FAR_US - 60_000_000])
async def test_a_run_whose_end_is_committed_late_is_still_seen(
    alerting: Alerting, late_us: int
) -> None:
    await alerting.add(AlertKind.FAILED)
    alerting.clock.pass_time(hours=3)
    await alerting.end("FAILED")
    assert await alerting.watch.look() == 1

    await alerting.end("FAILED", at_us=alerting.clock.now_us() - late_us)

    near = await alerting.watch.look()
    assert near + await alerting.watch.look(is_far=True) == 1
    assert near == (late_us < NEAR_US)


async def test_a_clock_that_is_set_back_hides_no_end(alerting: Alerting) -> None:
    await alerting.add(AlertKind.FAILED)
    alerting.clock.pass_time(hours=3)
    await alerting.end("FAILED")
    assert await alerting.watch.look() == 1

    alerting.clock.set_us(alerting.clock.now_us() - 3_600_000_000)
    await alerting.end("FAILED")

    assert await alerting.watch.look() == 1


async def test_a_rule_that_its_owner_changes_meanwhile_is_judged_as_it_is_now(
    alerting: Alerting,
) -> None:
    rule = await alerting.add(AlertKind.FAILED)
    await alerting.end("FAILED")
    seen = await alerting.alerts.look(now_us=alerting.clock.now_us(), back_us=NEAR_US, limit=9)
    judged, count = await alerting.watch._judged(seen, alerting.clock.now_us(), is_full=False)
    assert count == 1
    assert await alerting.alerts.change(replace(rule, is_active=False))

    assert not await alerting.alerts.save(judged)

    assert alerting.told() == []
    assert await alerting.watch.look() == 0


class Dying:
    """Storage of alerts that loses its process at a commit: before it, or after it."""

    def __init__(self, real: SqlAlerts, choose: random.Random) -> None:
        self._real = real
        self._choose = choose

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def save(self, judged: Judged) -> bool:
        dies = self._choose.choice(("no", "no", "before", "after"))
        if dies == "before":
            raise Unavailable("killed")
        saved = await self._real.save(judged)
        if dies == "after":
            raise Unavailable("killed")
        return saved


@dataclass
class Model:
    """What a rule of *number* in a row tells, by the plainest reckoning."""

    number: int
    streak: int = 0
    told: int = 0

    def see(self, status: str) -> None:
        if status == "TERMINATED":
            return
        self.streak = self.streak + 1 if status == "FAILED" else 0
        self.told += self.streak > 0 and self.streak % self.number == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
async def test_failures_in_a_row_are_told_as_a_plain_count_has_it(
    alerting: Alerting, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However looks and ends alternate, two judges race, and they are killed at their commits."""
    choose = random.Random(seed)
    monkeypatch.setattr("backend.engine.alert_watch._AT_ONCE", choose.choice((1, 2, 50)))
    models = [Model(1), Model(2), Model(3)]
    rules = [await alerting.add(AlertKind.FAILED_IN_ROW, model.number) for model in models]
    dying = Dying(alerting.alerts, choose)
    watches = [AlertWatch(dying, alerting.clock, block_name=str) for _ in range(2)]
    for _ in range(choose.randrange(10, 40)):
        statuses = choose.choices(
            ("COMPLETED", "FAILED", "TERMINATED"), (2, 6, 1), k=choose.randrange(4)
        )
        await alerting.end(*statuses)
        for model in models:
            for status in statuses:
                model.see(status)
        looks = [
            watch.look(is_far=choose.random() < 0.2)
            for watch in choose.sample(watches, choose.randrange(3))
        ]
        await asyncio.gather(*looks, return_exceptions=True)
    for _ in range(100):
        with suppress(Unavailable):
            await watches[0].look(is_far=True)
    await alerting.new_watch().look(is_far=True)

    for rule, model in zip(rules, models, strict=True):
        now = await alerting.rule(rule)
        assert (now.streak, now.fired) == (model.streak, model.told)
        pattern = f"agent_failed:{rule.id}:%"
        found = alerting.house.rows("SELECT count(*) FROM notices WHERE id LIKE ?", pattern)
        assert found == [(model.told,)]


async def test_looking_reads_by_indexes(alerting: Alerting) -> None:
    """Each second, however long the history."""
    await alerting.add(AlertKind.NO_RUN_FOR, 1)
    await alerting.end("COMPLETED")
    alerting.clock.pass_time(seconds=5)
    plans: list[str] = []

    def explain(connection: Any) -> None:
        def note(_1: Any, _2: Any, sql: str, parameters: Any, *_3: Any) -> None:
            if sql.startswith("SELECT"):
                raw = connection.connection.dbapi_connection
                plans.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {sql}", parameters))

        from sqlalchemy import event  # noqa: PLC0415

        event.listen(connection, "before_cursor_execute", note)
        try:
            rows.look(connection, alerting.clock.now_us(), FAR_US, 200)
        finally:
            event.remove(connection, "before_cursor_execute", note)

    await alerting.house.storage.database.read(explain)

    scans = [plan for plan in plans if plan.startswith("SCAN") and "executions" in plan]
    assert scans == [], plans
    assert any("executions_by_end" in plan for plan in plans), plans
