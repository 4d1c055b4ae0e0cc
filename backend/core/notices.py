"""What owners are told: the kinds of notices, and what stands in them (spec/contract.md 8.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from backend.core import json
from backend.core.credits import Charge
from backend.core.execution import Execution
from backend.core.ids import GraphId, UserId
from backend.core.records import NoticeRecord
from backend.core.status import Status

#: Outputs in a notice are for a glance; the run has them whole.
_OUTPUT_BYTES: Final = 2_000
#: So is what went wrong.
_TEXT_CHARS: Final = 2_000
#: It is a key: of two longer ones with the same beginning the second counts as a repeat.
_CAUSE_CHARS: Final = 300


class NoticeType(StrEnum):
    """The kinds of notices. Of the last four this server makes none yet; it can tell them."""

    AGENT_RUN = "AGENT_RUN"
    ZERO_BALANCE = "ZERO_BALANCE"
    LOW_BALANCE = "LOW_BALANCE"
    BLOCK_EXECUTION_FAILED = "BLOCK_EXECUTION_FAILED"
    CONTINUOUS_AGENT_ERROR = "CONTINUOUS_AGENT_ERROR"
    DAILY_SUMMARY = "DAILY_SUMMARY"
    WEEKLY_SUMMARY = "WEEKLY_SUMMARY"
    MONTHLY_SUMMARY = "MONTHLY_SUMMARY"
    REFUND_REQUEST = "REFUND_REQUEST"
    REFUND_PROCESSED = "REFUND_PROCESSED"
    AGENT_APPROVED = "AGENT_APPROVED"
    AGENT_REJECTED = "AGENT_REJECTED"


class Strategy(StrEnum):
    """When a notice leaves, and to whom."""

    IMMEDIATE = "immediate"  #: at once
    BATCH = "batch"  #: gathered; when the oldest is due, all go together
    BACKOFF = "backoff"  #: at once; what repeats goes together after pauses that grow
    SUMMARY = "summary"  #: at once; it is made once for each period
    ADMIN = "admin"  #: at once, to the operator's address, whatever its user prefers


STRATEGIES: Final[Mapping[str, Strategy]] = {
    NoticeType.AGENT_RUN: Strategy.BATCH,
    NoticeType.ZERO_BALANCE: Strategy.IMMEDIATE,
    NoticeType.LOW_BALANCE: Strategy.IMMEDIATE,
    NoticeType.BLOCK_EXECUTION_FAILED: Strategy.BACKOFF,
    NoticeType.CONTINUOUS_AGENT_ERROR: Strategy.BACKOFF,
    NoticeType.DAILY_SUMMARY: Strategy.SUMMARY,
    NoticeType.WEEKLY_SUMMARY: Strategy.SUMMARY,
    NoticeType.MONTHLY_SUMMARY: Strategy.SUMMARY,
    NoticeType.REFUND_REQUEST: Strategy.ADMIN,
    NoticeType.REFUND_PROCESSED: Strategy.ADMIN,
    NoticeType.AGENT_APPROVED: Strategy.IMMEDIATE,
    NoticeType.AGENT_REJECTED: Strategy.IMMEDIATE,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """
    Of which agent, and whose, a notice of a failure tells.

    Attributes:
        run_id: The run in which it failed last; empty: no run in particular.
        link: Where there is more to see; empty: nowhere.
    """

    user_id: UserId
    agent_name: str
    graph_id: str
    now_us: int
    run_id: str = ""
    link: str = ""


def agent_run(
    execution: Execution,
    *,
    user_id: UserId,
    graph_id: GraphId,
    now_us: int,
    delay_us: int,
) -> NoticeRecord:
    """
    Return the notice that a run has ended.

    Args:
        delay_us: Notices of this kind are gathered for so long, then told together.
    """
    stats = execution.stats
    return NoticeRecord(
        # One that was parked, and is retried, ends again.
        id=f"agent_run:{execution.id}"
        + ("" if execution.parked is None else f":parked:{execution.revision}"),
        user_id=user_id,
        type=NoticeType.AGENT_RUN.value,
        data={
            "agent_name": execution.plan.graph.name,
            "graph_exec_id": execution.id,
            # A parked one has gone wrong, until somebody retries it.
            "status": (execution.status if execution.parked is None else Status.FAILED).value,
            "error": stats.error,
            "credits_used": stats.cost,
            "execution_time": round(stats.duration_s, 3),
            "node_count": stats.node_count,
            "node_error_count": stats.node_error_count,
            "graph_id": graph_id,
            "outputs": [{name: _short(values)} for name, values in execution.outputs.items()],
        },
        created_us=now_us,
        next_us=now_us + delay_us,
    )


def waits_for_budget(
    *, id_: str, user_id: UserId, agent_name: str, run_id: str, words: str, now_us: int
) -> NoticeRecord:
    """Return the notice that a run waits for a budget; *id_* says for which, and since when."""
    return NoticeRecord(
        id=id_,
        user_id=user_id,
        type=NoticeType.AGENT_RUN.value,
        data={
            "agent_name": agent_name,
            "graph_exec_id": run_id,
            "status": "waits for a budget",
            "waits_for": words,
        },
        created_us=now_us,
        next_us=now_us,
    )


def low_balance(
    *, key: str, user_id: UserId, balance: int, billing_url: str, now_us: int
) -> NoticeRecord:
    """Return the notice that few credits are left; *key* is that of the charge that made it so."""
    return NoticeRecord(
        id=f"low_balance:{user_id}:{key}",
        user_id=user_id,
        type=NoticeType.LOW_BALANCE.value,
        data={"current_balance": balance, "billing_page_link": billing_url},
        created_us=now_us,
        next_us=now_us,
    )


def zero_balance(
    charge: Charge, *, balance: int, since: str, billing_url: str, now_us: int
) -> NoticeRecord:
    """
    Return the notice that *charge*, of a graph's node, could not be paid.

    Args:
        since: The key of the last credits that came in: until others come, its owner is told once
            for each graph.
    """
    return NoticeRecord(
        id=f"zero_balance:{charge.user_id}:{charge.graph_id}:{since}",
        user_id=charge.user_id,
        type=NoticeType.ZERO_BALANCE.value,
        data={
            "agent_name": charge.agent_name,
            "current_balance": balance,
            "billing_page_link": billing_url,
            "shortfall": charge.amount - balance,
        },
        created_us=now_us,
        next_us=now_us,
    )


def agent_failed(
    about: About, *, key: str, rule: str, error: str, count: int = 1, cause: str = ""
) -> NoticeRecord:
    """
    Return the notice that an alert rule of an agent has come true (CONTINUOUS_AGENT_ERROR).

    Args:
        key: Which time it came true, for example the rule's id and the run's: told once.
        rule: The rule in words: "3 runs in a row failed".
        error: What went wrong the last time; a long one is cut.
        count: How many runs are meant.
        cause: Notices of the same cause are told with growing pauses; empty: this agent's rule.
    """
    return _of_cause(
        f"agent_failed:{key}",
        NoticeType.CONTINUOUS_AGENT_ERROR,
        about,
        cause or f"agent:{about.graph_id}:{rule}",
        {"rule": _cut(rule), "error": _cut(error), "count": count},
    )


def block_failed(
    about: About, *, key: str, block_name: str, node_id: str, error: str
) -> NoticeRecord:
    """
    Return the notice that a step of an agent has failed (BLOCK_EXECUTION_FAILED).

    Args:
        key: Which failure, for example the id of the node execution: told once.
        error: What it said; a long one is cut.
    """
    return _of_cause(
        f"block_failed:{key}",
        NoticeType.BLOCK_EXECUTION_FAILED,
        about,
        f"node:{about.graph_id}:{node_id}",
        {"block_name": block_name, "node_id": node_id, "error": _cut(error)},
    )


def schedule_paused(
    about: About,
    *,
    key: str,
    schedule_id: str,
    schedule_name: str,
    reason: str,
    remedy: str,
    what: str = "schedule",
) -> NoticeRecord:
    """
    Return the notice that a schedule fires no more (sent as CONTINUOUS_AGENT_ERROR).

    Args:
        key: Which pause, for example the schedule's id and its revision: told once.
        what: What was paused, in a word: also a watch or a webhook starts runs by itself.
        reason: Why, in words; a long one is cut.
        remedy: What its owner can do.
    """
    return _of_cause(
        f"schedule_paused:{key}",
        NoticeType.CONTINUOUS_AGENT_ERROR,
        about,
        f"{what}:{schedule_id}",
        {
            "schedule_id": schedule_id,
            "schedule_name": schedule_name,
            "paused": what,
            "reason": _cut(reason),
            "remedy": _cut(remedy),
        },
    )


def _of_cause(
    id_: str, kind: NoticeType, about: About, cause: str, data: dict[str, Any]
) -> NoticeRecord:
    common = {
        "agent_name": about.agent_name,
        "graph_id": about.graph_id,
        "graph_exec_id": about.run_id,
        "link": about.link,
    }
    return NoticeRecord(
        id=id_,
        user_id=about.user_id,
        type=kind.value,
        data={**common, **data},
        created_us=about.now_us,
        next_us=about.now_us,
        cause=cause[:_CAUSE_CHARS],
    )


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_CHARS else text[:_TEXT_CHARS] + "…"


def _short(values: list[Any]) -> list[Any]:
    """Return the first of *values*, as many as fit; a long one is cut."""
    kept: list[Any] = []
    room = _OUTPUT_BYTES
    for value in values[:20]:
        text = json.text(value)
        if len(text) > room:
            kept.append(text[:room] + "…")
            break
        kept.append(value)
        room -= len(text)
    return kept
