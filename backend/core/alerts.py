"""Alerts on agents: the rules that their owners set, and when one comes true.

Rules judge runs that have ended, in the order in which they are seen: once each.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from backend.core import pins
from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.policy import OnError, policy_of
from backend.core.status import Status

_S_US: Final = 1_000_000
#: The largest threshold: a number that every database and every JSON reader holds.
MAX_THRESHOLD: Final = 10**12


class AlertKind(StrEnum):
    """What a rule asks of runs; in brackets what its threshold counts."""

    FAILED = "failed"  #: a run failed, or a step of which nothing took the error (nothing; it is 1)
    FAILED_IN_ROW = "failed_in_row"  #: so many runs failed, and none completed between (runs)
    SLOWER_THAN = "slower_than"  #: a run took longer (seconds)
    CREDITS_OVER = "credits_over"  #: a run cost more (credits)
    MODEL_COST_OVER = "model_cost_over"  #: its language models cost more (micro US dollars)
    NO_RUN_FOR = "no_run_for"  #: no run was started for so long (seconds)


_FAILURES: Final = (AlertKind.FAILED, AlertKind.FAILED_IN_ROW)
#: What the thresholds count; a rule of another kind has none.
COUNTED: Final = {
    AlertKind.FAILED_IN_ROW: "runs",
    AlertKind.SLOWER_THAN: "seconds",
    AlertKind.CREDITS_OVER: "credits",
    AlertKind.MODEL_COST_OVER: "millionths of a US dollar",
    AlertKind.NO_RUN_FOR: "seconds",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertRule:
    """
    A rule of an agent, as its owner set it, and how it stands.

    Attributes:
        names_block: The notice tells which block failed; only of rules about failures.
        since_us: Runs that ended before do not count.
        streak: How many runs have failed since the last that completed.
        last_run_us: When the last run that is known was started.
        silence_us: That start, in the silence that was told last: each is told once.
        revision: Counts what its owner changed, and what judging changed.
    """

    id: str
    user_id: UserId
    graph_id: GraphId
    kind: AlertKind
    threshold: int = 1
    names_block: bool = False
    is_active: bool = True
    created_us: int = 0
    since_us: int = 0
    fired: int = 0
    last_fired_us: int | None = None
    last_run_id: str | None = None
    streak: int = 0
    last_run_us: int | None = None
    silence_us: int | None = None
    revision: int = 0

    def problem(self) -> str | None:
        """Return what is wrong with what its owner asked for, in words; None for nothing."""
        if not 1 <= self.threshold <= MAX_THRESHOLD:
            return f"threshold must be from 1 to {MAX_THRESHOLD}"
        if self.kind is AlertKind.FAILED and self.threshold != 1:
            return "the threshold of a rule of kind failed is 1; failed_in_row counts runs"
        if self.names_block and self.kind not in _FAILURES:
            return "only a rule of kind failed or failed_in_row can name the block"
        return None

    def words(self) -> str:
        """Return what it asks, in words."""
        number = self.threshold
        match self.kind:
            case AlertKind.FAILED:
                return "a run failed"
            case AlertKind.FAILED_IN_ROW:
                return f"{number} runs in a row failed" if number > 1 else "a run failed"
            case AlertKind.SLOWER_THAN:
                return f"a run took longer than {number} s"
            case AlertKind.CREDITS_OVER:
                return f"a run cost more than {number} credit{'s' * (number > 1)}"
            case AlertKind.MODEL_COST_OVER:
                return f"the language models of a run cost more than {number / 1e6:.6f} US dollars"
            case AlertKind.NO_RUN_FOR:
                return f"no run for {number} s"


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedStep:
    """A step of a run that failed."""

    id: str
    node_id: str
    block_id: str
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EndedRun:
    """
    What rules look at of a run that has completed or failed.

    Attributes:
        broken_step: Of a run that has completed, the first failed step whose error nothing took.
    """

    id: ExecutionId
    user_id: UserId
    graph_id: GraphId
    agent_name: str
    status: Status
    ended_us: int
    duration_s: float = 0.0
    credits: int = 0
    model_micro_usd: int = 0
    error: str = ""
    broken_step: FailedStep | None = None

    @property
    def has_failed(self) -> bool:
        """Whether it failed: by its status, or because it went on without what a step owed it."""
        return self.status is Status.FAILED or self.broken_step is not None

    @property
    def what_failed(self) -> str:
        """What went wrong, in words."""
        said = self.broken_step.error if self.broken_step is not None else ""
        return self.error or said or "it failed"


def takes_failure(graph: Graph, node_id: str) -> bool:
    """
    Say whether *graph* is made for a failure of its node *node_id*.

    It is where the error goes on by a link, where the node's policy says to go on without it, and
    where the node is a model's tool: then the model reads what went wrong.
    """
    for link in graph.links:
        if link.source_id == node_id and link.source_name == "error":
            return True
        is_tool = link.source_name == pins.TOOLS or link.source_name.startswith(pins.TOOL_PREFIX)
        if link.sink_id == node_id and is_tool:
            return True
    return any(
        policy_of(node.metadata).on_error is OnError.CONTINUE
        for node in graph.nodes
        if node.id == node_id
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """
    A rule that has come true.

    Attributes:
        key: Which time it did: the same run, or the same silence, gives the same key.
        said: What happened, in words.
        count: How many runs are meant.
        run: The run that made it true; None for a silence.
    """

    rule: AlertRule
    key: str
    said: str
    count: int = 1
    run: EndedRun | None = None


def judge(rule: AlertRule, run: EndedRun, *, now_us: int) -> tuple[AlertRule, Alarm | None]:
    """Return *rule* after it has seen *run*, and the alarm that this is, if any."""
    if not rule.is_active or run.ended_us < rule.since_us:
        return rule, None
    after = replace(rule, streak=rule.streak + 1 if run.has_failed else 0)
    said, count = _said(after, run)
    if not said:
        return after, None
    after = replace(after, fired=rule.fired + 1, last_fired_us=now_us, last_run_id=run.id)
    return after, Alarm(rule=after, key=f"{rule.id}:{run.id}", said=said, count=count, run=run)


def _said(rule: AlertRule, run: EndedRun) -> tuple[str, int]:
    """Return what happened, empty if the rule is not met, and how many runs are meant."""
    match rule.kind:
        case AlertKind.FAILED:
            return (run.what_failed, 1) if run.has_failed else ("", 0)
        case AlertKind.FAILED_IN_ROW:
            # Told again after as many more: a broken agent is not told of at each run.
            is_met = run.has_failed and rule.streak % rule.threshold == 0
            return (run.what_failed, rule.streak) if is_met else ("", 0)
        case AlertKind.SLOWER_THAN:
            is_met = run.duration_s > rule.threshold
            return (f"it took {run.duration_s:.1f} s", 1) if is_met else ("", 0)
        case AlertKind.CREDITS_OVER:
            is_met = run.credits > rule.threshold
            return (f"it cost {run.credits} credits", 1) if is_met else ("", 0)
        case AlertKind.MODEL_COST_OVER:
            is_met = run.model_micro_usd > rule.threshold
            said = f"its language models cost {run.model_micro_usd / 1e6:.6f} US dollars"
            return (said, 1) if is_met else ("", 0)
        case AlertKind.NO_RUN_FOR:
            return "", 0


def judge_silence(
    rule: AlertRule, *, last_run_us: int | None, now_us: int
) -> tuple[AlertRule, Alarm | None]:
    """Return *rule* knowing when the last run was started, and the alarm of a silence, if any."""
    if last_run_us is not None:
        rule = replace(rule, last_run_us=max(last_run_us, rule.last_run_us or 0))
    begun_us = max(rule.last_run_us or 0, rule.since_us)
    is_met = (
        rule.kind is AlertKind.NO_RUN_FOR
        and rule.is_active
        and now_us - begun_us > rule.threshold * _S_US
        and rule.silence_us != begun_us
    )
    if not is_met:
        return rule, None
    after = replace(rule, fired=rule.fired + 1, last_fired_us=now_us, silence_us=begun_us)
    silent_s = (now_us - begun_us) // _S_US
    said = f"the last {silent_s} s went by without one"
    return after, Alarm(rule=after, key=f"{rule.id}:{begun_us}", said=said, count=0)
