"""The figures of the engine, of jobs and of retention, for /metrics."""

from collections.abc import Sequence
from typing import Any, Protocol

from backend.engine.engine import Engine
from backend.engine.jobs import Jobs
from backend.engine.retention import Figures


class _Gauges(Protocol):
    def gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Any:
        """Make a gauge."""


class _PoolFigures(Protocol):
    started: int
    lost: int
    calls: int


class _Pool(Protocol):
    @property
    def figures(self) -> _PoolFigures:
        """What it has done."""

    @property
    def pids(self) -> list[int]:
        """Who is there."""


class _Database(Protocol):
    busy_waits: int
    commits: int


def watch_engine(engine: Engine, database: _Database, metrics: _Gauges) -> None:
    """Show what *engine* does in *metrics*; read when somebody looks."""
    journal = engine.journal.figures
    shown = {
        "execution_manager_active_runs": ("Runs under way", lambda: engine.worker.active),
        "execution_manager_free_slots": ("Runs that still fit", lambda: engine.worker.free),
        "blocks_left_alone": ("Blocks that go on though cancelled", lambda: engine.left_alone),
        "runs_picked_up": ("Runs picked up", lambda: engine.worker.picked_up),
        "runs_ended": ("Runs that came to their end", lambda: journal.runs_ended),
        "runs_refused": ("Runs that another executor took over", lambda: journal.refused),
        "journal_commits": ("Journal transactions", lambda: journal.commits),
        "journal_node_rows": ("Node executions written", lambda: journal.node_rows),
        "journal_retries": ("Journal transactions tried again", lambda: journal.retries),
        "journal_last_commit_seconds": (
            "Time of the last journal transaction",
            lambda: journal.last_commit_s,
        ),
        "event_loop_lag_seconds": (
            "Longest time within the last minute that something waited for the event loop",
            lambda: engine.lag.recent_s,
        ),
        "event_loop_lag_max_seconds": ("The same, since the start", lambda: engine.lag.most_s),
        "database_busy_waits": ("Waits for another writer", lambda: database.busy_waits),
    }
    for name, (text, read) in shown.items():
        metrics.gauge(name, text).set_function(read)


def watch_jobs(jobs: Jobs, metrics: _Gauges) -> None:
    """Show in *metrics* when each job ran last, how long it took, and how often it failed."""
    ended = metrics.gauge("job_last_end_seconds", "When the job ended last, Unix time", ["job"])
    took = metrics.gauge("job_last_seconds", "How long the job took the last time", ["job"])
    failures = metrics.gauge("job_failures", "Failures of the job since the start", ["job"])
    for name, figures in jobs.figures.items():
        ended.labels(name).set_function(lambda figures=figures: figures.ended_us / 1e6)
        took.labels(name).set_function(lambda figures=figures: figures.took_s)
        failures.labels(name).set_function(lambda figures=figures: figures.failures)


def watch_retention(figures: Figures, metrics: _Gauges) -> None:
    """Show in *metrics* what retention has deleted since the start of the process."""
    shown = {
        "runs": "Runs that retention has deleted",
        "rows": "Rows of nodes that it has deleted with them",
        "notices": "Notices that it has deleted",
        "fires": "Notes of fires that it has deleted",
        "letters": "Letters in the outbox that it has deleted",
        "deliveries": "Deliveries to webhooks, and names of such, that it has deleted",
        "chats": "Rows of sessions of the copilot that it has deleted",
        "audit": "Rows of the audit log that it has deleted",
        "answers": "Answers of models that nobody may take again",
        "usage": "Sums of what models were asked that were folded or deleted",
        "pages": "Pages of the database that it has given back",
        "longest_step_s": "Longest transaction of retention, seconds",
    }
    for name, text in shown.items():
        gauge = metrics.gauge(f"retention_{name.removesuffix('_s')}", text)
        gauge.set_function(lambda name=name: getattr(figures, name))


def watch_processes(pool: _Pool, metrics: _Gauges) -> None:
    """Show what the worker processes do in *metrics*."""
    figures = pool.figures
    shown = {
        "block_processes": ("Worker processes", lambda: len(pool.pids)),
        "block_processes_started": ("Worker processes started", lambda: figures.started),
        "block_processes_lost": (
            "Worker processes that ended before their work did",
            lambda: figures.lost,
        ),
        "block_process_calls": ("Calls of worker processes", lambda: figures.calls),
    }
    for name, (text, read) in shown.items():
        metrics.gauge(name, text).set_function(read)
