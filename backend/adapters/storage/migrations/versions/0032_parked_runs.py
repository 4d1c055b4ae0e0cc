"""Runs that take their executor down again and again are parked, and can be retried.

Mark: pre (safe before the new program runs).
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what a parked run needs to go on."""
    op.add_column("executions", sa.Column("parked", sa.Text()))
    op.create_index(
        "executions_parked", "executions", ["ended_us"],
        sqlite_where=sa.text("parked IS NOT NULL"),
        postgresql_where=sa.text("parked IS NOT NULL"),
    )  # fmt: skip
