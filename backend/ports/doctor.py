"""What the doctor reads: rows that break a rule, and runs that do not move. Read-only."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from backend.core.ids import ExecutionId, ScheduleId
from backend.ports.why import RunRows


class Rule(StrEnum):
    """What must hold of the rows, whatever happened to the server."""

    RUN_TIMES = "run_times"
    NODE_TIMES = "node_times"
    NODE_HAS_RUN = "node_has_run"
    ORDINALS = "ordinals"
    OPEN_NODES = "open_nodes"
    REVISIONS = "revisions"
    CHILDREN = "children"
    OUTPUT_ROWS = "output_rows"
    STATS = "stats"
    ONE_ACTIVE = "one_active"
    LIBRARY = "library"
    SCHEDULE_GRAPH = "schedule_graph"
    PRESET_WEBHOOK = "preset_webhook"
    NOTICES = "notices"


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """A row that breaks a rule: which one, and what of it."""

    row: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleRow:
    """What of a schedule says when it fires."""

    id: ScheduleId
    cron: str
    timezone: str
    next_us: int | None


class Records(Protocol):
    """
    A database under examination. Every method reads, and none keeps a transaction open.

    Attributes:
        runs: The rows of single runs.
    """

    runs: RunRows

    def rows(self) -> int:
        """Return about how many rows there are to look at."""

    def broken(self, rule: Rule) -> Iterator[Broken]:
        """Yield the rows that break *rule*."""

    def schedules(self) -> Iterator[ScheduleRow]:
        """Yield all schedules."""

    def still_runs(self, *, before_us: int, limit: int) -> list[ExecutionId]:
        """Return runs that have not ended nor changed since *before_us*, oldest first."""

    def overdue_notices(self, *, before_us: int) -> int:
        """Return how many notices should have left before *before_us*."""
