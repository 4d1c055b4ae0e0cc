"""Whether each run has ended as it had to, with its outputs. Pure, like all of the checker."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from backend.core import json
from backend.selfcheck.history import Answer, History, NodeRow, RunRow
from backend.selfcheck.plan import RunPlan
from backend.selfcheck.rules import FINAL, Rule, Violation, short
from backend.selfcheck.scenes import Expected, expected_of


def check_outcomes(history: History) -> Iterator[Violation]:
    """Yield all that is wrong with the ends and the outputs of runs."""
    nodes: defaultdict[str, list[NodeRow]] = defaultdict(list)
    for node in history.nodes.values():
        nodes[node.run_id].append(node)
    for run in history.runs.values():
        for detail in _outcome_of(history, run, nodes[run.id]):
            yield Violation(rule=Rule.OUTCOME, run=run.id, detail=detail)
    by_name = Counter(run.name for run in history.runs.values() if run.parent_id is None)
    for name, count in by_name.items():
        if count > 1:
            detail = f"{name} was asked for once, and there are {count} runs of it"
            yield Violation(rule=Rule.OUTCOME, detail=detail)


def _outcome_of(history: History, run: RunRow, nodes: list[NodeRow]) -> Iterator[str]:
    plan = history.plans.get(run.name)
    if plan is None:
        yield f"nobody has started a run {run.name!r}"
    elif run.status in FINAL:
        expected = expected_of(plan)
        yield from _wrong_end(run, plan)
        yield from _failures(run, nodes, expected)
        answer = history.answers.get(run.id)
        if run.parent_id is None and answer is not None:
            is_broken = any(node.has_unknown_outcome for node in nodes)
            yield from _wrong_outputs(run, expected, answer, is_broken=is_broken)


def _wrong_end(run: RunRow, plan: RunPlan) -> Iterator[str]:
    if run.status == "FAILED":
        yield "it has FAILED"
    elif run.status == "TERMINATED" and plan.stop_after_s is None:
        yield "it is TERMINATED, and nobody has told it to stop"


def _wrong_outputs(
    run: RunRow, expected: Expected, answer: Answer, *, is_broken: bool
) -> Iterator[str]:
    if run.status != "COMPLETED":
        if not _is_part(answer.outputs, expected.outputs):
            yield f"ended early, it has given {short(answer.outputs)}"
    elif is_broken and expected.may_break:
        if answer.outputs:
            yield f"a node of it has an unknown outcome, and it has given {short(answer.outputs)}"
    elif not _is_same(answer.outputs, expected.outputs, in_order=not expected.calls):
        yield f"it has given {short(answer.outputs)}, not {short(expected.outputs)}"


def _failures(run: RunRow, nodes: list[NodeRow], expected: Expected) -> Iterator[str]:
    wanted = int(bool(expected.failure) and run.status == "COMPLETED")
    for node in nodes:
        if node.status != "FAILED":
            continue
        if expected.failure and expected.failure in (node.error or ""):
            wanted -= 1
        elif not (expected.may_break and node.has_unknown_outcome):
            yield f"its node execution {node.ordinal} failed: {node.error}"
    if wanted > 0:
        yield "the node that has to fail did not"
    elif wanted < 0 and run.status == "COMPLETED":
        yield "the node that has to fail failed more than once"


def _is_same(given: Mapping[str, Any], wanted: Mapping[str, Any], *, in_order: bool) -> bool:
    """Compare outputs; those of calls that were under way together come in any order."""
    if in_order:
        return given == wanted
    return given.keys() == wanted.keys() and all(
        _counted(given[name]) == _counted(wanted[name]) for name in wanted
    )


def _is_part(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return given.keys() <= wanted.keys() and all(
        _counted(given[name]) <= _counted(wanted[name]) for name in given
    )


def _counted(values: Any) -> Counter[str]:
    return Counter(json.text(value) for value in values)
