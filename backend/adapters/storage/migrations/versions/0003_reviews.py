"""Questions to people, and their answers. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "reviews",
        sa.Column("node_exec_id", sa.Text(), primary_key=True, nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("graph_id", sa.Text(), nullable=False),
        sa.Column("graph_version", sa.Integer(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("instructions", sa.Text()),
        sa.Column("editable", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("was_edited", sa.Boolean()),
        sa.Column("processed", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_us", sa.BigInteger()),
        sa.Column("reviewed_us", sa.BigInteger()),
    )
    op.create_index("reviews_by_run", "reviews", ["run_id"])
    op.create_index("reviews_by_user", "reviews", ["user_id", "status", "created_us"])
    op.create_table(
        "approved_nodes",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "node_id"),
    )
