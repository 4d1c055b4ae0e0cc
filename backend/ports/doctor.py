"""What the doctor reads, rows and files that break a rule, and what mends some of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from backend.core.ids import ExecutionId
from backend.core.records import Timetable
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
    WHOLE = "whole"
    TABLES = "tables"
    JSON = "json"
    GRAPH_BODIES = "graph_bodies"
    PARENTS = "parents"
    ATTEMPTS = "attempts"
    QUEUE_NUMBERS = "queue_numbers"
    QUESTIONS_CLOSED = "questions_closed"
    QUESTIONS_ASKED = "questions_asked"
    QUESTION_RUN = "question_run"
    FIRES = "fires"
    HOLDS = "holds"
    VALUES = "values"
    AUDIT = "audit"
    STEPS = "steps"
    BUDGETS = "budgets"
    CHATS = "chats"


class PlaceRule(StrEnum):
    """What must hold of the data directory around the database."""

    MODES = "modes"
    WAL = "wal"
    DISK = "disk"
    FILES = "files"


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """A row, or a file, that breaks a rule: which one, what of it, and its id for a repair."""

    row: str
    detail: str
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class FailedNotices:
    """
    Notices that nobody got.

    Attributes:
        count: Of those that were given up.
        error: Why the newest of them was.
        addresses: Accounts whose address has refused so many letters that it gets no more.
    """

    count: int = 0
    error: str = ""
    addresses: int = 0


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

    def late_schedules(self, *, before_us: int) -> Iterator[Timetable]:
        """Yield those that nothing keeps from firing and that should have, before *before_us*."""

    def schedules(self) -> Iterator[Timetable]:
        """Yield all schedules."""

    def still_runs(self, *, before_us: int, limit: int) -> list[ExecutionId]:
        """Return runs that have not ended nor changed since *before_us*, oldest first."""

    def overdue_notices(self, *, before_us: int) -> int:
        """Return how many notices should have left before *before_us*."""

    def failed_notices(self) -> FailedNotices:
        """Return what became of notices that nobody got."""

    def failed_jobs(self) -> Iterator[Broken]:
        """Yield the server's own jobs that failed the last time, with what was said."""


class Premises(Protocol):
    """The data directory around the database."""

    def broken(self, rule: PlaceRule) -> Iterator[Broken]:
        """Yield what breaks *rule*."""

    def needs_alone(self, rule: PlaceRule) -> bool | None:
        """See Mender."""

    def mend(self, rule: PlaceRule, *, is_trial: bool) -> list[str]:
        """See Mender."""


class Mender(Protocol):
    """Mends rows, a transaction at a time. Deletes nothing that it has not set aside before."""

    def needs_alone(self, rule: Rule) -> bool | None:
        """Say whether *rule* is mended only where no server runs; None where it never is."""

    def mend(self, rule: Rule, *, now_us: int, is_trial: bool) -> list[str]:
        """
        Mend what breaks *rule* and return what was done, a sentence each.

        Args:
            is_trial: Nothing of it is kept.

        Raises:
            Conflict: If others work on the rows, and it may be mended only while nobody does.
        """

    def pause_schedule(self, schedule: Timetable, reason: str, *, is_trial: bool) -> bool:
        """Let a schedule fire no more until its owner has looked; False if it is not as it was."""

    def set_next(self, schedule: Timetable, next_us: int, *, is_trial: bool) -> bool:
        """Set when a schedule fires next; False if it is not as it was."""
