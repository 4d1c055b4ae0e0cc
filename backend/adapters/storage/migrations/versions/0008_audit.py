"""The audit log. Mark: pre (safe before the new program runs)."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TEXTS = (
    "who",
    "by",
    "by_id",
    "acting_for",
    "address",
    "request_id",
    "verb",
    "kind",
    "object_id",
    "outcome",
    "facts",
    "previous",
    "hash",
)


def upgrade() -> None:
    """Add the log and the note of its last row."""
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
    )
    op.create_index("audit_by_who", "audit", ["who", "seq"])
    op.create_index("audit_by_object", "audit", ["kind", "object_id", "seq"])
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
    )
