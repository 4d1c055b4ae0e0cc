"""What a report counts in a history."""

from collections import Counter

from backend.selfcheck.history import History
from backend.selfcheck.scenes import expected_of


def ends_by_kind(history: History) -> dict[str, dict[str, int]]:
    """Return how many runs ended how, by kind of agent."""
    found: dict[str, Counter[str]] = {}
    unknown = {node.run_id for node in history.nodes.values() if node.has_unknown_outcome}
    for run in history.runs.values():
        plan = history.plans.get(run.name)
        if run.parent_id is None and plan is not None:
            end = "COMPLETED, an outcome unknown" if run.id in unknown else run.status
            found.setdefault(plan.kind.value, Counter())[end] += 1
    return {kind: dict(ends.most_common()) for kind, ends in sorted(found.items())}


def calls_by_effect(history: History) -> dict[str, tuple[int, int]]:
    """Return how many calls arrived, and how many of them again, by effect."""
    arrived: Counter[str] = Counter()
    different: Counter[str] = Counter()
    seen = set()
    for call in history.calls:
        plan = history.plans.get(call.run)
        effect = None if plan is None else expected_of(plan).calls.get(call.step)
        name = "unexpected" if effect is None else effect.value
        arrived[name] += 1
        different[name] += (call.run, call.step) not in seen
        seen.add((call.run, call.step))
    return {name: (count, count - different[name]) for name, count in arrived.items()}
