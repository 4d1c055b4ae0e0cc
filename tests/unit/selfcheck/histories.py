"""A history in which nothing is wrong, and ways to make it false."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from backend.selfcheck.checker import check
from backend.selfcheck.history import (
    Accepted,
    Answer,
    Call,
    History,
    Interruption,
    NodeRow,
    RunRow,
    Told,
)
from backend.selfcheck.plan import Decision, Kind, RunPlan, Strike
from backend.selfcheck.rules import Rule
from backend.selfcheck.scenes import expected_of

SECOND: Final = 1_000_000
END: Final = 100 * SECOND
CHAIN: Final = "id of run-0"
ONCE: Final = "id of run-1"
STREAM: Final = "id of run-2"


def plan(number: int, kind: Kind, *, stop_after_s: float | None = None) -> RunPlan:
    return RunPlan(
        number=number,
        kind=kind,
        decision=Decision.APPROVE,
        stop_after_s=stop_after_s,
        watched=True,
    )


PLANS: Final = (plan(0, Kind.CHAIN), plan(1, Kind.ONCE), plan(2, Kind.STREAM))
KILL: Final = Interruption(strike=Strike.SERVICE, begin_us=40 * SECOND, end_us=41 * SECOND)


def id_of(one: RunPlan) -> str:
    return f"id of {one.name}"


def row(one: RunPlan, status: str = "COMPLETED") -> RunRow:
    ended = status in ("COMPLETED", "FAILED", "TERMINATED")
    return RunRow(
        id=id_of(one),
        name=one.name,
        root_id=id_of(one),
        parent_id=None,
        status=status,
        revision=9,
        attempt=2,
        ended_us=END if ended else None,
    )


def node(run_id: str, ordinal: int = 0, status: str = "COMPLETED") -> NodeRow:
    return NodeRow(
        run_id=run_id,
        ordinal=ordinal,
        id=f"{run_id}/{ordinal}",
        block_id="b",
        status=status,
        outputs='[["result",1]]',
        error=None,
        start_us=30 * SECOND,
        end_us=50 * SECOND,
        revision=2 + ordinal,
    )


def calls_of(one: RunPlan) -> list[Call]:
    steps = expected_of(one).calls
    return [
        Call(run=one.name, step=step, key=f"{one.name} {step}", at_us=(10 + number) * SECOND)
        for number, step in enumerate(steps)
    ]


def told_of(run_id: str, nodes: Sequence[NodeRow]) -> list[Told]:
    events = [
        Told(run_id=run_id, row=n.id, sequence=n.revision, status=n.status, committed=True)
        for n in nodes
    ]
    end = Told(run_id=run_id, row=run_id, sequence=9, status="COMPLETED", committed=True)
    return [*events, end]


def true_history() -> History:
    """Three runs, a kill, nothing repeated, everything told of the first."""
    nodes = {n.place: n for n in (node(CHAIN), node(CHAIN, 1), node(ONCE), node(STREAM))}
    runs = {id_of(one): row(one) for one in PLANS}
    return History(
        plans={one.name: one for one in PLANS},
        accepted=[Accepted(run_id=id_of(one), graph_id="g", plan=one) for one in PLANS],
        calls=[call for one in PLANS for call in calls_of(one)],
        interruptions=[KILL],
        seen_runs={id_of(one): [row(one, "RUNNING"), row(one)] for one in PLANS},
        seen_nodes=dict(nodes),
        runs=runs,
        nodes=nodes,
        told=told_of(CHAIN, [node(CHAIN), node(CHAIN, 1)]),
        followed=frozenset({CHAIN}),
        answers={
            id_of(one): Answer(
                http_status=200, status="COMPLETED", outputs=expected_of(one).outputs
            )
            for one in PLANS
        },
    )


def with_run(history: History, run: RunRow) -> History:
    """Put another end of a run into *history*, as REST tells it too."""
    answer = history.answers[run.id]
    return replace(
        history,
        runs={**history.runs, run.id: run},
        seen_runs={**history.seen_runs, run.id: []},
        answers={**history.answers, run.id: replace(answer, status=run.status)},
        followed=frozenset(),
        told=[],
    )


def with_node(history: History, changed: NodeRow) -> History:
    """Put another end of a node execution into *history*, seen as it is."""
    return replace(
        history,
        nodes={**history.nodes, changed.place: changed},
        seen_nodes={**history.seen_nodes, changed.place: changed},
        followed=frozenset(),
        told=[],
    )


def with_calls(history: History, *more: Call) -> History:
    """Add calls."""
    return replace(history, calls=[*history.calls, *more])


def broken(history: History) -> set[tuple[Rule, str]]:
    """Return which rules are broken by which runs."""
    return {(one.rule, one.run) for one in check(history)}
