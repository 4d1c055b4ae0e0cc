"""Alerts of runs that went on without what a step of theirs owed them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.storage.alerts import SqlAlerts
from backend.core.alerts import AlertKind, AlertRule
from backend.core.graph import Graph
from backend.core.ids import GraphId
from backend.core.status import Status
from backend.engine.alert_watch import AlertWatch
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, graph, with_policy
from tests.unit.engine.engine_house import ANN, House, open_house

LINKS = "in.result -> does.value\ndoes.result -> out.value"
ERROR = ("AgentOutputBlock", {"name": "problem"})
BROKEN = graph("agent", {"in": INPUT, "does": ("BreaksBlock", {}), "out": OUTPUT}, LINKS)
TAKEN = graph(
    "agent",
    {"in": INPUT, "does": ("BreaksBlock", {}), "out": OUTPUT, "err": ERROR},
    f"{LINKS}\ndoes.error -> err.value",
)
TOOL = graph(
    "agent",
    {"in": INPUT, "asks": ("CallsBlock", {}), "does": ("BreaksBlock", {}), "out": OUTPUT},
    "in.result -> asks.value\nasks.tools_^_does_~_value -> does.value\nasks.result -> out.value",
)
#: Both fail; only of the first the graph takes the error.
BOTH = graph(
    "agent",
    {
        "in": INPUT,
        "does": ("BreaksBlock", {}),
        "other": ("BreaksBlock", {}),
        "out": OUTPUT,
        "err": ERROR,
    },
    f"{LINKS}\ndoes.error -> err.value\nin.result -> other.value",
)


async def told(folder: Path, made: Graph, kind: AlertKind, *, runs: int, **more: Any) -> list[Any]:
    """Let *made* run so often; return the kinds of the notices and the nodes that they name."""
    async with open_house(folder) as house:
        await house.add(made)
        alerts = SqlAlerts(house.storage.database)
        rule = AlertRule(id="r", user_id=ANN, graph_id=GraphId("agent"), kind=kind, **more)
        await alerts.add(rule, most=20)
        await _run(house, runs)
        watch = AlertWatch(alerts, house.clock, block_name=lambda _: "Breaks")
        await watch.look()
        query = "SELECT type, data ->> 'node_id', data ->> 'error' FROM notices ORDER BY id"
        return house.rows(query)


async def _run(house: House, runs: int) -> None:
    async with house.engine():
        for _ in range(runs):
            run = await house.ended(await house.submit("agent", run="x"))
            assert run.status is Status.COMPLETED
            assert run.stats is not None
            assert run.stats.node_error_count > 0


async def test_a_run_with_a_failed_step_has_failed(tmp_path: Path) -> None:
    [(kind, node, error)] = await told(tmp_path, BROKEN, AlertKind.FAILED, runs=1)

    assert (kind, node) == ("CONTINUOUS_AGENT_ERROR", None)
    assert "BreaksBlock" in error


async def test_such_runs_count_in_a_row(tmp_path: Path) -> None:
    found = await told(tmp_path, BROKEN, AlertKind.FAILED_IN_ROW, runs=3, threshold=3)

    assert len(found) == 1


async def test_the_step_is_named_whose_error_nothing_took(tmp_path: Path) -> None:
    found = await told(tmp_path, BOTH, AlertKind.FAILED, runs=1, names_block=True)

    assert [row[:2] for row in found] == [("BLOCK_EXECUTION_FAILED", "other")]


@pytest.mark.parametrize(
    "made",
    [TAKEN, TOOL, with_policy(BROKEN, "does", on_error="continue")],
    ids=["its error goes on by a link", "a model reads it", "its policy goes on without it"],
)
async def test_a_failure_that_the_graph_is_made_for_is_none(tmp_path: Path, made: Graph) -> None:
    assert await told(tmp_path, made, AlertKind.FAILED, runs=1) == []


async def test_a_graph_that_is_gone_took_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.add(replace(TAKEN, id=GraphId("agent")))
        alerts = SqlAlerts(house.storage.database)
        rule = AlertRule(id="r", user_id=ANN, graph_id=GraphId("agent"), kind=AlertKind.FAILED)
        await alerts.add(rule, most=20)
        await _run(house, 1)
        with house.database() as database:
            database.execute("DELETE FROM graphs")

        assert await AlertWatch(alerts, house.clock, block_name=str).look() == 1
