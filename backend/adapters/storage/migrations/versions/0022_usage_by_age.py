"""Sums of what was asked of models are found by age. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index them: those by graph, and those of whole days."""
    for name, which in (("by_graph", "graph_id <> ''"), ("of_days", "graph_id = ''")):
        op.create_index(
            f"model_usage_{name}",
            "model_usage",
            ["day"],
            sqlite_where=sa.text(which),
            postgresql_where=sa.text(which),
        )
