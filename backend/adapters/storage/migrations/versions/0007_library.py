"""Whether a library entry follows the active version. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "library_agents",
        sa.Column("follows_active", sa.Boolean(), nullable=False, server_default=sa.text("true")),
    )
