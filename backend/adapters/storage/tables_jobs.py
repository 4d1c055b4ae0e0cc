"""The table of what the server's own jobs did; see tables.py."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, PrimaryKeyConstraint, Table, Text

from backend.adapters.storage.tables import metadata

system_job_runs: Final = Table(
    "system_job_runs",
    metadata,
    Column("job", Text, nullable=False),
    Column("started_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger, nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("result", Text, nullable=False),
    Column("error", Text),
    PrimaryKeyConstraint("job", "started_us"),
    sqlite_with_rowid=False,
)
