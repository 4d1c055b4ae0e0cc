"""Alerts on agents, and what jobs did and are to do. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their tables, and to jobs when they are due."""
    zero = sa.text("0")
    op.create_table(
        "agent_alerts",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("graph_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("threshold", sa.BigInteger(), nullable=False),
        sa.Column("names_block", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("fired", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("last_fired_us", sa.BigInteger()),
        sa.Column("last_run_id", sa.Text()),
        sa.Column("streak", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("last_run_us", sa.BigInteger()),
        sa.Column("silence_us", sa.BigInteger()),
        sa.Column("revision", sa.Integer(), nullable=False, server_default=zero),
    )
    op.create_index(
        "agent_alerts_by_graph", "agent_alerts", ["user_id", "graph_id", "created_us", "id"]
    )
    op.create_index("agent_alerts_since", "agent_alerts", ["since_us"])
    op.create_table(
        "alert_runs",
        sa.Column("run_id", sa.Text(), primary_key=True, nullable=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("alert_runs_by_end", "alert_runs", ["ended_us"])
    op.create_table(
        "alert_cursor",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "system_job_runs",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("job", "started_us"),
        sqlite_with_rowid=False,
    )
    for column in (
        sa.Column("due_us", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("requested_us", sa.BigInteger()),
        sa.Column("held_until_us", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("every_us", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("alerted_us", sa.BigInteger(), nullable=False, server_default=zero),
        sa.Column("alerts", sa.Integer(), nullable=False, server_default=zero),
    ):
        op.add_column("system_jobs", column)
