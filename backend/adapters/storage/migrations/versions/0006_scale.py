"""Indexes for a long history, and what retention needs. Mark: pre (safe before the new program runs)."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_MADE_ANEW = {
    "graphs_by_user": "graphs",
    "executions_by_user": "executions",
    "executions_by_graph": "executions",
    "schedules_by_user": "schedules",
    "notices_due": "notices",
    "reviews_by_run": "reviews",
    "reviews_by_user": "reviews",
    "presets_by_user": "presets",
}


def upgrade() -> None:
    """Make the indexes anew, the table of runs that are being deleted, and note when that was."""
    for name, table in _MADE_ANEW.items():
        op.drop_index(name, table)
    op.create_index(
        "graphs_by_user",
        "graphs",
        ["user_id", "is_active", sa.text("created_us DESC"), "id", sa.text("version DESC")],
    )
    _index_runs()
    op.create_index("schedules_by_user", "schedules", ["user_id", "created_us", "id"])
    op.create_index("schedules_by_graph", "schedules", ["user_id", "graph_id", "created_us", "id"])
    op.create_index("schedule_fires_by_time", "schedule_fires", ["fire_us"])
    _partial("notices_by_age", "notices", ["created_us"], "status <> 'QUEUED'")
    _partial("notices_due", "notices", ["next_us", "created_us"], "status = 'QUEUED'")
    op.create_index("reviews_by_run", "reviews", ["run_id", "created_us", "node_exec_id"])
    op.create_index(
        "reviews_by_user",
        "reviews",
        ["user_id", "status", sa.text("created_us DESC"), "node_exec_id"],
    )
    op.create_index("presets_by_user", "presets", ["user_id", "updated_us", "id"])
    op.create_table(
        "deleted_runs", sa.Column("run_id", sa.Text(), primary_key=True, nullable=False)
    )
    # Before this step nothing was deleted unless somebody asked for it: there is a week to object.
    installation = sa.table("installation", sa.column("key"), sa.column("value"))
    op.execute(
        installation.insert().values(key="retention_began_us", value=str(time.time_ns() // 1000))
    )


def _index_runs() -> None:
    op.create_index(
        "executions_by_user",
        "executions",
        ["user_id", "created_us", "id"],
        sqlite_where=sa.text("parent_id IS NULL AND is_deleted IS 0"),
        postgresql_where=sa.text("parent_id IS NULL AND is_deleted IS false"),
    )
    op.create_index(
        "executions_by_graph",
        "executions",
        ["graph_id", "user_id", "created_us", "id"],
        sqlite_where=sa.text("is_deleted IS 0"),
        postgresql_where=sa.text("is_deleted IS false"),
    )
    _partial(
        "executions_to_stop",
        "executions",
        ["stop_us"],
        "stop_us IS NOT NULL AND status IN ('QUEUED', 'RUNNING')",
    )


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
