"""What owners ask of schedules beside their times. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    for column in (
        sa.Column("overlap", sa.Text(), nullable=False, server_default="allow"),
        sa.Column("rules", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("last_run_id", sa.Text()),
        sa.Column("revision", sa.Integer(), nullable=False, server_default="0"),
    ):
        op.add_column("schedules", column)
