"""Where alerts on agents are kept, and how runs that ended come before them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.core.alerts import AlertRule, EndedRun, FailedStep
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.records import NoticeRecord


class AgentAlerts(Protocol):
    """Rules, each reached by its owner. Somebody else's id is answered like one of nobody."""

    async def add(self, rule: AlertRule, *, most: int) -> None:
        """
        Save *rule*.

        Raises:
            NotFound: If its user has no such graph.
            BadRequest: If the graph has *most* already.
        """

    async def listed(self, user_id: UserId, graph_id: GraphId) -> list[AlertRule]:
        """Return the rules of an agent, oldest first."""

    async def get(self, user_id: UserId, graph_id: GraphId, alert_id: str) -> AlertRule | None:
        """Return a rule."""

    async def change(self, rule: AlertRule) -> bool:
        """Save *rule* as its next revision; False if it is gone, or was changed meanwhile."""

    async def remove(self, user_id: UserId, graph_id: GraphId, alert_id: str) -> bool:
        """Delete a rule; say whether there was one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """
    What there is to judge, as one state.

    Attributes:
        runs: Ended runs of agents with rules that were not judged yet, earliest end first.
        rules: The rules of their agents.
        silent: Rules about silence that may have come true, with the agent's name and the start
            of its last run, if there is one.
        cursor_us: Up to which end runs were judged; None: never.
        revision: Of the cursor.
        has_rules: Whether there are rules at all.
    """

    runs: Sequence[EndedRun]
    rules: Sequence[AlertRule]
    silent: Sequence[tuple[AlertRule, str, int | None]]
    cursor_us: int | None
    revision: int
    has_rules: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """
    What came of a look.

    Attributes:
        rules: Those that stand otherwise now; each with the revision that was read.
        cursor_us: The new one.
        forget_before_us: Judged runs that ended before need not be known any more.
    """

    look: Look
    rules: Sequence[AlertRule]
    notices: Sequence[NoticeRecord]
    cursor_us: int
    forget_before_us: int


class AlertLooks(Protocol):
    """The judge's side."""

    async def look(self, *, now_us: int, back_us: int, limit: int) -> Look:
        """Return what is to be judged, from *back_us* before the cursor on, at most *limit* runs."""

    async def failed_step(self, run_id: ExecutionId) -> FailedStep | None:
        """Return the step of a run that failed first."""

    async def save(self, judged: Judged) -> bool:
        """
        Save how rules stand, their notices and the cursor, in one transaction.

        Returns:
            False, with nothing done, if somebody else has judged meanwhile, or a rule was changed.
        """
