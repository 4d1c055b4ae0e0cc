"""What a check has found, as text for people and as data for programs."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.selfcheck.rules import Rule, Violation

#: Of what breaks a rule, so many are shown to people; data has all.
MOST_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Report:
    """
    All that people want to know of a check.

    Attributes:
        strikes: How many of each kind; pauses too, which kill nobody.
        moments: How many strikes hit the moment that they waited for, by kind of moment.
        killed: How many processes, by service.
        runs: How many runs there were, by kind of agent and then by how they ended.
        calls: How many calls arrived outside, by effect, and how many of them again.
        recoveries_s: How long each interrupted run needed until it went on; sorted.
        slowest_run: The run that took longest.
        takeovers_s: How long it took until others had the runs of a frozen executor; sorted.
        events: How many were told to a WebSocket client, of how many runs.
        refused: Answers that were no success, by what they answered.
        kept: Where the folder of the check is, if it was kept.
        kept_database: The name of the database that was kept with it, in a cluster.
    """

    seed: int
    kills: int
    lasted_s: float
    strikes: Mapping[str, int]
    moments: Mapping[str, int]
    killed: Mapping[str, int]
    runs: Mapping[str, Mapping[str, int]]
    nodes: int
    calls: Mapping[str, tuple[int, int]]
    recoveries_s: Sequence[float]
    slowest_run: str
    events: tuple[int, int]
    unanswered: int
    refused: Mapping[str, int]
    violations: Sequence[Violation]
    kept: Path | None = None
    kept_database: str = ""
    takeovers_s: Sequence[float] = ()

    @property
    def is_clean(self) -> bool:
        """Whether no rule was broken."""
        return not self.violations


def as_data(report: Report) -> dict[str, Any]:
    """Return *report* as JSON has it."""
    return {
        "ok": report.is_clean,
        "seed": report.seed,
        "kills": report.kills,
        "seconds": round(report.lasted_s, 1),
        "strikes": dict(report.strikes),
        "moments": dict(report.moments),
        "killed": dict(report.killed),
        "runs": {kind: dict(ends) for kind, ends in report.runs.items()},
        "nodes": report.nodes,
        "calls": {
            effect: {"arrived": arrived, "repeated": again}
            for effect, (arrived, again) in report.calls.items()
        },
        "recovery_seconds": {
            "count": len(report.recoveries_s),
            "median": _part(report.recoveries_s, 0.5),
            "slowest": _part(report.recoveries_s, 1),
            "slowest_run": report.slowest_run,
        },
        "takeover_seconds": [round(one, 2) for one in report.takeovers_s],
        "events": {"told": report.events[0], "runs": report.events[1]},
        "unanswered": report.unanswered,
        "refused": dict(report.refused),
        "violations": [
            {"rule": one.rule.name, "says": one.rule.value, "run": one.run, "detail": one.detail}
            for one in report.violations
        ],
        "kept": None if report.kept is None else str(report.kept),
        "kept_database": report.kept_database or None,
    }


def as_lines(report: Report) -> Iterator[str]:
    """Yield *report* line by line."""
    total = Counter[str]()
    for ends in report.runs.values():
        total.update(ends)
    yield f"seed        {report.seed}"
    yield f"kills       {report.kills} in {report.lasted_s:.0f} s: {_counts(report.strikes)}"
    yield f"killed      {_counts(report.killed)}"
    yield f"moments     {_counts(report.moments)}"
    yield f"runs        {sum(total.values())} ({_counts(total)}), {report.nodes} node executions"
    for kind, ends in sorted(report.runs.items()):
        yield f"  {kind:<9} {_counts(ends)}"
    for effect, (arrived, again) in sorted(report.calls.items()):
        yield f"calls       {effect}: {arrived} arrived, {again} of them again after a kill"
    yield f"events      {report.events[0]} told of {report.events[1]} runs"
    if report.unanswered or report.refused:
        refused = _counts(report.refused) or "none"
        yield f"requests    {report.unanswered} without an answer, refused: {refused}"
    if report.recoveries_s:
        yield (
            f"recovery    {len(report.recoveries_s)} interrupted runs went on; median"
            f" {_part(report.recoveries_s, 0.5)} s, slowest {_part(report.recoveries_s, 1)} s"
            f" (run {report.slowest_run})"
        )
    if report.takeovers_s:
        took = ", ".join(f"{one:.1f} s" for one in report.takeovers_s)
        yield f"takeover    of the runs of a frozen executor, after {took}"
    yield from _verdict(report)


def _verdict(report: Report) -> Iterator[str]:
    for rule in Rule:
        found = [one for one in report.violations if one.rule is rule]
        if not found:
            continue
        yield f"VIOLATED    {rule.value}"
        for one in found[:MOST_SHOWN]:
            yield f"            {f'run {one.run}: ' if one.run else ''}{one.detail}"
        if len(found) > MOST_SHOWN:
            yield f"            … and {len(found) - MOST_SHOWN} more."
    if report.kept is not None:
        yield f"kept        {report.kept}"
    if report.kept_database:
        yield f"kept        the database {report.kept_database}"
    if report.is_clean:
        yield f"All {len(Rule)} rules hold."
    else:
        broken = {one.rule for one in report.violations}
        yield f"{len(broken)} of {len(Rule)} rules are violated."


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)


def _part(values: Sequence[float], share: float) -> float:
    return round(values[min(len(values) - 1, int(len(values) * share))], 2) if values else 0.0
