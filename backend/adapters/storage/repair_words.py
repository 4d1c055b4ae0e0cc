"""The repairs that are one statement each, and what is said of them. Read by repairs.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from backend.core.reviews import BROKEN
from backend.ports.doctor import Rule


@dataclass(frozen=True, slots=True)
class Step:
    """A statement, and what it does to so many rows. ``:now`` is the time."""

    statement: str
    words: str


@dataclass(frozen=True, slots=True)
class Aside:
    """Rows of a table that belong to nothing."""

    table: str
    where: str
    words: str


AnyStep: TypeAlias = Step | Aside

_FINAL: Final = "('COMPLETED', 'FAILED', 'TERMINATED')"
#: What retention is about to delete is none of our business.
_NO_RUN: Final = (
    "NOT EXISTS (SELECT 1 FROM executions WHERE id = run_id)"
    " AND NOT EXISTS (SELECT 1 FROM deleted_runs d WHERE d.run_id = {table}.run_id)"
)
_NO_GRAPH: Final = (
    "NOT EXISTS (SELECT 1 FROM graphs g WHERE g.id = graph_id AND g.version = graph_version"
    " AND g.user_id = {table}.user_id)"
)
_VERSIONS: Final = (
    "FROM graphs g WHERE g.id = library_agents.graph_id AND g.user_id = library_agents.user_id"
)
_ENDED: Final = f"(SELECT status FROM executions WHERE id = run_id) IN {_FINAL}"

#: Done only where no server works on the rows: an executor holds such rows in memory, and tables
#: that get an index are closed to it.
ALONE: Final = frozenset(
    {
        Rule.WHOLE,
        Rule.TABLES,
        Rule.RUN_TIMES,
        Rule.NODE_TIMES,
        Rule.REVISIONS,
        Rule.PARENTS,
        Rule.ATTEMPTS,
        Rule.QUESTIONS_ASKED,
    }
)

STEPS: Final[Mapping[Rule, tuple[AnyStep, ...]]] = {
    Rule.RUN_TIMES: (
        Step(
            f"UPDATE executions SET ended_us = updated_us WHERE status IN {_FINAL}"
            " AND ended_us IS NULL",
            "{n} runs that have ended were given the time of their last change as their end",
        ),
        Step(
            "UPDATE executions SET ended_us = NULL WHERE ended_us IS NOT NULL"
            " AND status IN ('QUEUED', 'RUNNING', 'REVIEW')",
            "{n} runs that have not ended lost the time of their end",
        ),
        Step(
            "UPDATE executions SET started_us = created_us WHERE started_us IS NULL"
            " AND status IN ('RUNNING', 'REVIEW', 'COMPLETED')",
            "{n} runs that have begun were given the time of their creation as their start",
        ),
    ),
    Rule.NODE_TIMES: (
        Step(
            "UPDATE node_executions SET end_us = coalesce((SELECT ended_us FROM executions"
            f" WHERE id = run_id), start_us, add_us) WHERE status IN {_FINAL} AND end_us IS NULL",
            "{n} node executions that have ended were given the end of their run as theirs",
        ),
        Step(
            "UPDATE node_executions SET end_us = NULL WHERE end_us IS NOT NULL"
            " AND status IN ('INCOMPLETE', 'QUEUED', 'RUNNING', 'REVIEW')",
            "{n} node executions that have not ended lost the time of their end",
        ),
        Step(
            "UPDATE node_executions SET queue_us = add_us WHERE queue_us IS NULL"
            " AND status IN ('QUEUED', 'RUNNING', 'COMPLETED')",
            "{n} node executions were given the time they were added as that they were queued",
        ),
        Step(
            "UPDATE node_executions SET start_us = queue_us WHERE start_us IS NULL"
            " AND status IN ('RUNNING', 'COMPLETED')",
            "{n} node executions were given the time they were queued as their start",
        ),
        Step(
            "UPDATE node_executions SET queue_us = NULL WHERE status = 'INCOMPLETE'"
            " AND queue_us IS NOT NULL",
            "{n} node executions that wait for inputs lost the time they were queued",
        ),
    ),
    Rule.NODE_HAS_RUN: (
        Aside(
            "node_outputs",
            _NO_RUN.format(table="node_outputs"),
            "{n} rows of outputs of runs that are gone were set aside",
        ),
        Aside(
            "node_executions",
            _NO_RUN.format(table="node_executions"),
            "{n} node executions of runs that are gone, too",
        ),
    ),
    Rule.OPEN_NODES: (
        Step(
            "UPDATE node_executions SET status = 'TERMINATED', end_us = coalesce((SELECT ended_us"
            " FROM executions WHERE id = run_id), add_us)"
            f" WHERE status IN ('QUEUED', 'RUNNING', 'REVIEW') AND {_ENDED}",
            "{n} node executions ended with their run, as TERMINATED",
        ),
    ),
    Rule.REVISIONS: (
        Step(
            "UPDATE executions SET revision = (SELECT max(revision) FROM node_executions"
            " WHERE run_id = executions.id) WHERE revision < (SELECT max(revision)"
            " FROM node_executions WHERE run_id = executions.id)",
            "{n} runs were brought to the revision of their newest node execution",
        ),
    ),
    Rule.CHILDREN: (
        Step(
            "UPDATE executions SET stop_us = :now,"
            " status = CASE status WHEN 'REVIEW' THEN 'QUEUED' ELSE status END"
            f" WHERE stop_us IS NULL AND status NOT IN {_FINAL} AND (SELECT status FROM executions"
            f" up WHERE up.id = executions.parent_id) IN {_FINAL}",
            "{n} nested runs whose parents have ended were told to stop",
        ),
    ),
    Rule.OUTPUT_ROWS: (
        Aside(
            "node_outputs",
            "NOT EXISTS (SELECT 1 FROM node_executions n WHERE n.run_id = node_outputs.run_id"
            " AND n.ordinal = node_outputs.ordinal)"
            " AND NOT EXISTS (SELECT 1 FROM deleted_runs d WHERE d.run_id = node_outputs.run_id)",
            "{n} rows of outputs of node executions that are not there were set aside",
        ),
    ),
    Rule.PARENTS: (
        Step(
            "UPDATE executions SET depth = 0, root_id = id WHERE parent_id IS NULL"
            " AND (depth != 0 OR root_id != id)",
            "{n} runs that nobody started became their own roots",
        ),
        Step(
            "UPDATE executions SET (depth, root_id) = (SELECT up.depth + 1, up.root_id"
            " FROM executions up WHERE up.id = executions.parent_id) WHERE EXISTS (SELECT 1"
            " FROM executions up WHERE up.id = executions.parent_id AND"
            " (up.depth + 1 != executions.depth OR up.root_id != executions.root_id))",
            "{n} nested runs were given the depth and root of the run that started them",
        ),
    ),
    Rule.ATTEMPTS: (
        Step(
            "UPDATE executions SET claim_revision = revision WHERE claim_revision > revision",
            "{n} runs were begun at the revision at which they are",
        ),
        Step("UPDATE executions SET stalls = 0 WHERE stalls < 0", "{n} counts of stalls are 0"),
        Step(
            "UPDATE executions SET parked = NULL WHERE parked IS NOT NULL"
            " AND status <> 'TERMINATED'",
            "{n} runs are not parked, as they have not ended so",
        ),
        Step(
            "UPDATE executions SET attempt = 1 WHERE attempt < 1 AND (owner IS NOT NULL OR"
            " attempt < 0 OR EXISTS (SELECT 1 FROM node_executions WHERE run_id = executions.id))",
            "{n} runs that have begun are at their first attempt",
        ),
        Step(
            "UPDATE executions SET owner = 'unknown' WHERE attempt > 0 AND owner IS NULL",
            "{n} attempts belong to an executor that is not known",
        ),
    ),
    Rule.QUESTIONS_CLOSED: (
        Step(
            f"UPDATE reviews SET status = 'REJECTED', message = '{BROKEN}', processed = true,"
            " reviewed_us = :now, updated_us = :now WHERE status = 'WAITING' AND (SELECT status"
            f" FROM executions WHERE id = run_id) IN {_FINAL}",
            "{n} questions of runs that have ended were closed",
        ),
    ),
    Rule.QUESTIONS_ASKED: (
        Step(
            "UPDATE node_executions SET status = 'QUEUED' WHERE status = 'REVIEW'"
            " AND NOT EXISTS (SELECT 1 FROM reviews WHERE node_exec_id = node_executions.id)"
            " AND NOT EXISTS (SELECT 1 FROM budget_waits w WHERE w.run_id = node_executions.run_id"
            " AND w.node_exec_id = node_executions.id)"
            f" AND NOT {_ENDED}",
            "{n} node executions will ask again",
        ),
        Step(
            "UPDATE executions SET status = 'QUEUED', revision = revision + 1, updated_us = :now"
            " WHERE status = 'REVIEW' AND NOT EXISTS (SELECT 1 FROM reviews WHERE"
            " run_id = executions.id AND status = 'WAITING')"
            " AND NOT EXISTS (SELECT 1 FROM budget_waits WHERE run_id = executions.id)",
            "{n} runs that waited for nobody go on",
        ),
    ),
    Rule.QUESTION_RUN: (
        Aside(
            "reviews",
            _NO_RUN.format(table="reviews"),
            "{n} questions of runs that are gone were set aside",
        ),
        Aside(
            "approved_nodes",
            _NO_RUN.format(table="approved_nodes"),
            "{n} approvals of runs that are gone were set aside",
        ),
    ),
    Rule.ONE_ACTIVE: (
        Step(
            "UPDATE graphs SET is_active = false WHERE is_active AND version < (SELECT max(version)"
            " FROM graphs g WHERE g.id = graphs.id AND g.is_active)",
            "{n} older versions of graphs are active no more",
        ),
    ),
    Rule.LIBRARY: (
        Step(
            f"UPDATE library_agents SET graph_version = (SELECT g.version {_VERSIONS} ORDER BY"
            f" g.is_active DESC, g.version DESC LIMIT 1) WHERE EXISTS (SELECT 1 {_VERSIONS}) AND"
            f" NOT is_deleted AND {_NO_GRAPH.format(table='library_agents')}",
            "{n} entries of the library name the version that is there",
        ),
        Step(
            "UPDATE library_agents SET is_deleted = true WHERE NOT is_deleted"
            f" AND {_NO_GRAPH.format(table='library_agents')}",
            "{n} entries of the library were hidden: their graphs are gone",
        ),
    ),
    Rule.SCHEDULE_GRAPH: (
        Step(
            "UPDATE schedules SET next_us = NULL, paused_because = 'its graph is not there'"
            f" WHERE next_us IS NOT NULL AND {_NO_GRAPH.format(table='schedules')}",
            "{n} schedules were paused: their graphs are gone",
        ),
    ),
    Rule.FIRES: (
        Aside(
            "schedule_fires",
            "NOT EXISTS (SELECT 1 FROM schedules WHERE id = schedule_id)",
            "{n} fires of schedules that are gone were set aside",
        ),
    ),
    Rule.HOLDS: (
        Aside(
            "holds",
            "(kind = 'run' AND NOT EXISTS (SELECT 1 FROM executions WHERE id = holds.id))"
            " OR (kind = 'graph' AND NOT EXISTS (SELECT 1 FROM graphs WHERE id = holds.id))",
            "{n} pauses of what is gone were set aside",
        ),
    ),
    Rule.BUDGETS: (
        Aside(
            "budget_waits",
            _NO_RUN.format(table="budget_waits"),
            "{n} waits of runs that are gone were set aside",
        ),
    ),
    Rule.CHATS: (
        Aside(
            "chat_messages",
            "NOT EXISTS (SELECT 1 FROM chats WHERE id = chat_id)",
            "{n} messages of sessions that are gone were set aside",
        ),
        Step(
            "UPDATE chats SET messages = (SELECT coalesce(max(number) + 1, 0) FROM chat_messages"
            " WHERE chat_id = id) WHERE messages <> (SELECT coalesce(max(number) + 1, 0)"
            " FROM chat_messages WHERE chat_id = id)",
            "{n} sessions count their messages again",
        ),
    ),
    Rule.STEPS: (
        Aside(
            "node_steps",
            "NOT EXISTS (SELECT 1 FROM node_executions n WHERE n.run_id = node_steps.run_id"
            " AND n.id = node_exec_id)"
            " AND run_id NOT IN (SELECT run_id FROM deleted_runs)",
            "{n} steps of node executions that are gone were set aside",
        ),
    ),
    Rule.PRESET_WEBHOOK: (
        Step(
            "UPDATE presets SET webhook_id = NULL WHERE webhook_id IS NOT NULL AND NOT is_deleted"
            " AND NOT EXISTS (SELECT 1 FROM webhooks w WHERE w.id = webhook_id"
            " AND w.user_id = presets.user_id)",
            "{n} presets name no webhook any more: theirs is gone",
        ),
        Aside(
            "webhooks",
            "NOT EXISTS (SELECT 1 FROM presets WHERE webhook_id = webhooks.id AND NOT is_deleted)",
            "{n} webhooks that no preset names were set aside",
        ),
    ),
    Rule.NOTICES: (
        Step(
            "UPDATE notices SET status = 'DROPPED', error = 'its status could not be read',"
            " sent_us = NULL WHERE status NOT IN ('QUEUED', 'SENT', 'FAILED', 'DROPPED')",
            "{n} notices whose status could not be read will not be sent",
        ),
        Step(
            "UPDATE notices SET sent_us = next_us WHERE status = 'SENT' AND sent_us IS NULL",
            "{n} notices that were sent were given the time when they were due",
        ),
        Step(
            "UPDATE notices SET status = 'SENT' WHERE status != 'SENT' AND sent_us IS NOT NULL",
            "{n} notices that have a time of sending count as sent",
        ),
    ),
}
