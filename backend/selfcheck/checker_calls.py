"""Whether what a run did outside was done as its effects promise. Pure, like all of the checker."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from backend.sdk import Effect
from backend.selfcheck.history import Call, History, Interruption, RunRow
from backend.selfcheck.rules import SLACK_US, WAKE_US, Rule, Violation
from backend.selfcheck.scenes import Expected, expected_of

_KEYED = frozenset({Effect.KEYED, Effect.AT_MOST_ONCE})


def check_calls(history: History) -> Iterator[Violation]:
    """Yield all that is wrong with the calls of *history*."""
    calls = _by_run(history.calls)
    runs = {run.name: run for run in history.runs.values() if run.parent_id is None}
    trees = _trees(history)
    for name in calls.keys() - runs.keys():
        detail = f"{name} has called outside, and there is no such run"
        yield Violation(rule=Rule.CALLS, detail=detail)
    broken = {node.run_id for node in history.nodes.values() if node.has_unknown_outcome}
    for name, run in runs.items():
        plan = history.plans.get(name)
        if plan is not None:
            expected, steps = expected_of(plan), calls.get(name, {})
            complete = run.status == "COMPLETED" and run.id not in broken
            of = trees[run.root_id]
            in_time = _without_late(steps, _of(history.interruptions, of.owners))
            yield from _check_made(run, expected, steps, in_time, complete=complete)
            yield from _check_order(run, expected, in_time)
            yield from _check_repeats(run, expected, steps, history.interruptions, of)
            yield from _check_keys(run, expected, steps)
    yield from _check_unknown(history)


@dataclass
class _Tree:
    """Who had a run and those in it, and how often one of them was begun at most."""

    owners: set[str] = field(default_factory=set)
    attempts: int = 0


def _trees(history: History) -> dict[str, _Tree]:
    found: defaultdict[str, _Tree] = defaultdict(_Tree)
    for seen in (*history.seen_runs.values(), history.runs.values()):
        for row in seen:
            tree = found[row.root_id]
            tree.attempts = max(tree.attempts, row.attempt)
            if row.owner:
                tree.owners.add(row.owner)
    return found


def _of(interruptions: Sequence[Interruption], owners: Collection[str]) -> list[Interruption]:
    return [one for one in interruptions if one.is_of(owners)]


def _by_run(calls: Sequence[Call]) -> dict[str, dict[str, list[Call]]]:
    found: defaultdict[str, dict[str, list[Call]]] = defaultdict(dict)
    for call in sorted(calls, key=lambda one: one.at_us):
        found[call.run].setdefault(call.step, []).append(call)
    return dict(found)


def _without_late(
    steps: Mapping[str, list[Call]], interruptions: Sequence[Interruption]
) -> dict[str, list[Call]]:
    """
    Leave out what an executor may do when it wakes up and does not know yet that others have its run.

    It had said that it was about to call; the call is one that was under way all the time.
    """
    woke = [one.end_us for one in interruptions if one.woke]
    kept = {
        step: [call for call in calls if not any(at <= call.at_us <= at + WAKE_US for at in woke)]
        for step, calls in steps.items()
    }
    # The only one is no repetition, whenever it came.
    return {step: calls or [steps[step][0]] for step, calls in kept.items()}


def _check_made(
    run: RunRow,
    expected: Expected,
    steps: Mapping[str, list[Call]],
    in_time: Mapping[str, list[Call]],
    *,
    complete: bool,
) -> Iterator[Violation]:
    for step in steps.keys() - expected.calls.keys():
        detail = f"it has called {step}, which is no step of it"
        yield Violation(rule=Rule.CALLS, run=run.id, detail=detail)
    if complete:
        for step in expected.calls.keys() - steps.keys():
            detail = f"it is COMPLETED without having called {step}"
            yield Violation(rule=Rule.CALLS, run=run.id, detail=detail)
    for step, calls in in_time.items():
        if run.ended_us is not None and calls[-1].at_us > run.ended_us + SLACK_US:
            late_s = (calls[-1].at_us - run.ended_us) / 1e6
            detail = f"it has called {step} {late_s:.1f} s after its end"
            yield Violation(rule=Rule.CALLS, run=run.id, detail=detail)


def _check_order(
    run: RunRow, expected: Expected, steps: Mapping[str, list[Call]]
) -> Iterator[Violation]:
    """A step was finished, for sure, when the one after it began: it must not be called any more."""
    if not expected.in_order:
        return
    for step, following in pairwise(expected.calls):
        if step not in steps and following in steps:
            detail = f"it has called {following} before {step}"
            yield Violation(rule=Rule.CALLS, run=run.id, detail=detail)
        elif following in steps and steps[step][-1].at_us > steps[following][0].at_us:
            detail = f"it has called {step} again after {following} had begun"
            yield Violation(rule=Rule.REDONE, run=run.id, detail=detail)


def _check_repeats(
    run: RunRow,
    expected: Expected,
    steps: Mapping[str, list[Call]],
    interruptions: Sequence[Interruption],
    tree: _Tree,
) -> Iterator[Violation]:
    for step, calls in steps.items():
        if expected.calls.get(step) is Effect.AT_MOST_ONCE:
            if len(calls) > 1:
                detail = f"it has called {step} {len(calls)} times"
                yield Violation(rule=Rule.ONCE, run=run.id, detail=detail)
        elif unexplained := _unexplained(calls, _of(interruptions, tree.owners)):
            detail = f"it has called {step} {len(calls)} times, {unexplained} of them for no kill"
            yield Violation(rule=Rule.REPEATED, run=run.id, detail=detail)
        elif len(calls) > tree.attempts:
            detail = f"it has called {step} {len(calls)} times in {tree.attempts} attempts"
            yield Violation(rule=Rule.REPEATED, run=run.id, detail=detail)


def _unexplained(calls: Sequence[Call], interruptions: Sequence[Interruption]) -> int:
    """Return how many calls were repeated though no executor died since the one before."""
    left = sorted(interruptions, key=lambda one: one.end_us)
    count = 0
    for before, after in pairwise(calls):
        why = next(
            (
                one
                for one in left
                if one.end_us + SLACK_US >= before.at_us and one.begin_us <= after.at_us
            ),
            None,
        )
        if why is None:
            count += 1
        else:
            left.remove(why)
    return count


def _check_keys(
    run: RunRow, expected: Expected, steps: Mapping[str, list[Call]]
) -> Iterator[Violation]:
    owners: dict[str | None, str] = {}
    for step, calls in steps.items():
        if expected.calls.get(step) not in _KEYED:
            continue
        keys = {call.key for call in calls}
        if len(keys) > 1 or None in keys:
            detail = f"its calls of {step} have the keys {sorted(map(str, keys))}"
            yield Violation(rule=Rule.KEYS, run=run.id, detail=detail)
        for key in keys:
            other = owners.setdefault(key, step)
            if other != step:
                detail = f"its calls of {other} and {step} have the same key"
                yield Violation(rule=Rule.KEYS, run=run.id, detail=detail)


def _check_unknown(history: History) -> Iterator[Violation]:
    """A node may have an unknown outcome only if its executor died while it ran."""
    trees = _trees(history)
    for node in history.nodes.values():
        if not node.has_unknown_outcome:
            continue
        owners = trees[history.runs[node.run_id].root_id].owners
        start_us, end_us = node.start_us or 0, node.end_us or 0
        if not any(
            one.begin_us <= end_us and one.end_us + SLACK_US >= start_us
            for one in _of(history.interruptions, owners)
        ):
            detail = f"node execution {node.ordinal} has an unknown outcome, and nobody was killed"
            yield Violation(rule=Rule.ONCE, run=node.run_id, detail=detail)
