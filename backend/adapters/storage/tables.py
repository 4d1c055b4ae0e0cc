"""The tables, for SQLite and PostgreSQL alike. Changed only together with a migration.

JSON is text: it is written once and read whole, and nobody queries inside it. Times are
microseconds since the epoch.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    literal_column,
    text,
)

metadata: Final = MetaData()


def _only(condition: str) -> dict[str, Any]:
    """Return what makes an index one of the rows of *condition* alone."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


users: Final = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False),
    Column("name", Text),
    Column("timezone", Text, nullable=False, server_default="not-set"),
    Column("preferences", Text, nullable=False, server_default="{}"),
    Column("created_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
)

graphs: Final = Table(
    "graphs",
    metadata,
    Column("id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("instructions", Text),
    Column("recommended_schedule_cron", Text),
    Column("is_active", Boolean, nullable=False),
    Column("forked_from_id", Text),
    Column("forked_from_version", Integer),
    Column("created_us", BigInteger, nullable=False),
    Column("body", Text, nullable=False),  # {"nodes": […], "links": […]}
    PrimaryKeyConstraint("id", "version"),
    Index(
        "graphs_by_user",
        "user_id",
        "is_active",
        text("created_us DESC"),
        "id",
        text("version DESC"),
    ),
)

library_agents: Final = Table(
    "library_agents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("graph_id", Text, nullable=False),
    Column("graph_version", Integer, nullable=False),
    Column("is_favorite", Boolean, nullable=False, server_default=text("false")),
    Column("is_archived", Boolean, nullable=False, server_default=text("false")),
    Column("is_deleted", Boolean, nullable=False, server_default=text("false")),
    Column("settings", Text, nullable=False, server_default="{}"),
    Column("created_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("follows_active", Boolean, nullable=False, server_default=text("true")),
    Index("library_agents_by_graph", "user_id", "graph_id", unique=True),
)

executions: Final = Table(
    "executions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("graph_id", Text, nullable=False),
    Column("graph_version", Integer, nullable=False),
    Column("preset_id", Text),
    Column("parent_id", Text),
    Column("root_id", Text, nullable=False),
    Column("depth", Integer, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempt", Integer, nullable=False),  # the owner's fence
    Column("owner", Text),  # the executor of that attempt
    Column("claim_revision", Integer),  # the revision at which that attempt began
    Column("stalls", Integer, nullable=False, server_default=text("0")),
    Column("revision", Integer, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("started_us", BigInteger),
    Column("ended_us", BigInteger),
    Column("stop_us", BigInteger),
    Column("inputs", Text, nullable=False),
    Column("credential_inputs", Text),
    Column("masks", Text),
    Column("skipped", Text),
    Column("stats", Text),
    Column("is_deleted", Boolean, nullable=False, server_default=text("false")),
    Column("is_shared", Boolean, nullable=False, server_default=text("false")),
    Column("share_token", Text),
    Column("parked", Text),  # of a parked run: its status, and those of its open nodes, before
    # What lists show, in the order in which they show it.
    Index(
        "executions_by_user",
        "user_id",
        "created_us",
        "id",
        sqlite_where=text("parent_id IS NULL AND is_deleted IS 0"),
        postgresql_where=text("parent_id IS NULL AND is_deleted IS false"),
    ),
    Index(
        "executions_by_graph",
        "graph_id",
        "user_id",
        "created_us",
        "id",
        sqlite_where=text("is_deleted IS 0"),
        postgresql_where=text("is_deleted IS false"),
    ),
    Index("executions_by_parent", "parent_id", **_only("parent_id IS NOT NULL")),
    Index(
        "executions_by_share_token",
        "share_token",
        unique=True,
        **_only("share_token IS NOT NULL"),
    ),
    Index("executions_unfinished", "created_us", **_only("status IN ('QUEUED', 'RUNNING')")),
    # Looked at each second: it must not matter how many runs wait for their turn.
    Index(
        "executions_to_stop",
        "stop_us",
        **_only("stop_us IS NOT NULL AND status IN ('QUEUED', 'RUNNING')"),
    ),
    Index("executions_by_end", "ended_us", **_only("ended_us IS NOT NULL")),
    Index("executions_parked", "ended_us", **_only("parked IS NOT NULL")),
)

#: Runs that the engine must pick up. In words, not as parameters: with parameters SQLite does not
#: see that the small indexes have all that is asked for, and reads the whole table instead.
is_unfinished: Final = executions.c.status.in_(
    [literal_column("'QUEUED'"), literal_column("'RUNNING'")]
)

#: Runs that retention has deleted, and that still have rows of nodes: they go in small steps.
deleted_runs: Final = Table(
    "deleted_runs", metadata, Column("run_id", Text, primary_key=True, nullable=False)
)

node_executions: Final = Table(
    "node_executions",
    metadata,
    Column("run_id", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("id", Text, nullable=False),
    Column("node_id", Text, nullable=False),
    Column("block_id", Text, nullable=False),
    Column("kind", Text, nullable=False),  # the block's type, for inputs and outputs of a run
    Column("status", Text, nullable=False),
    Column("received", Text),  # while INCOMPLETE
    Column("input", Text),  # from QUEUED on
    Column("outputs", Text),  # [[pin, value], …] that are not in node_outputs
    Column("saved_outputs", Integer, nullable=False),  # how many are in node_outputs
    Column("routed", Integer),  # None: all
    Column("queue_no", Integer),
    Column("add_us", BigInteger, nullable=False),
    Column("queue_us", BigInteger),
    Column("start_us", BigInteger),
    Column("end_us", BigInteger),
    Column("cpu_us", BigInteger),
    Column("error", Text),  # of the last failed try too, while there will be another
    Column("revision", Integer, nullable=False),
    Column("tries", Integer, nullable=False, server_default=text("0")),  # that have failed
    # Clustered by run: a run's rows lie together and new runs go to the end. No index beside it:
    # each would cost every step of every run a tenth, and serve only who looks at a huge one.
    PrimaryKeyConstraint("run_id", "ordinal"),
    sqlite_with_rowid=False,
)

#: Outputs of nodes that stream over several commits: a row a commit, so that the thousandth output
#: does not write the first 999 again.
node_outputs: Final = Table(
    "node_outputs",
    metadata,
    Column("run_id", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("first", Integer, nullable=False),
    Column("items", Text, nullable=False),
    PrimaryKeyConstraint("run_id", "ordinal", "first"),
    sqlite_with_rowid=False,
)

schedules: Final = Table(
    "schedules",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("graph_id", Text, nullable=False),
    Column("graph_version", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("agent_name", Text, nullable=False),
    Column("cron", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("credentials", Text, nullable=False),
    Column("missed", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("next_us", BigInteger),
    Column("last_us", BigInteger),
    Column("paused_because", Text),
    Column("overlap", Text, nullable=False, server_default="allow"),
    Column("rules", Text, nullable=False, server_default="{}"),
    Column("last_run_id", Text),
    Column("revision", Integer, nullable=False, server_default="0"),
    Index("schedules_by_user", "user_id", "created_us", "id"),
    Index("schedules_by_graph", "user_id", "graph_id", "created_us", "id"),
    Index("schedules_by_next", "next_us"),
)

#: A fire is an insert here: two schedulers cannot both take it.
schedule_fires: Final = Table(
    "schedule_fires",
    metadata,
    Column("schedule_id", Text, nullable=False),
    Column("fire_us", BigInteger, nullable=False),
    Column("run_id", Text),
    PrimaryKeyConstraint("schedule_id", "fire_us"),
    Index("schedule_fires_by_time", "fire_us"),
    sqlite_with_rowid=False,
)

#: What agents remember between runs. Keys begin with their scope; no value is JSON's null.
key_values: Final = Table(
    "key_values",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("user_id", "key"),
)

#: What people are asked. A question's id is that of the node execution that waits for it.
reviews: Final = Table(
    "reviews",
    metadata,
    Column("node_exec_id", Text, primary_key=True),
    Column("node_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("graph_id", Text, nullable=False),
    Column("graph_version", Integer, nullable=False),
    Column("payload", Text, nullable=False),
    Column("instructions", Text),
    Column("editable", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("message", Text),
    Column("was_edited", Boolean),
    Column("processed", Boolean, nullable=False, server_default=text("false")),
    Column("created_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger),
    Column("reviewed_us", BigInteger),
    Index("reviews_by_run", "run_id", "created_us", "node_exec_id"),
    Index("reviews_by_user", "user_id", "status", text("created_us DESC"), "node_exec_id"),
)

#: Nodes whose further questions, in the same run, count as approved.
approved_nodes: Final = Table(
    "approved_nodes",
    metadata,
    Column("run_id", Text, nullable=False),
    Column("node_id", Text, nullable=False),
    PrimaryKeyConstraint("run_id", "node_id"),
)

#: What an operator has paused: a run, a graph, or (with the id "") the whole server.
holds: Final = Table(
    "holds",
    metadata,
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("reason", Text),
    Column("created_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("kind", "id"),
)

#: Addresses at which something outside starts runs.
webhooks: Final = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("webhook_type", Text, nullable=False),
    Column("credentials_id", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("config", Text, nullable=False),
    Column("secret", Text, nullable=False),  # sealed; in clear until the first start since
    Column("provider_webhook_id", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'ready'")),
    Column("due_us", BigInteger, nullable=False, server_default=text("0")),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("refused", BigInteger, nullable=False, server_default=text("0")),
    Index("webhooks_by_user", "user_id"),
    Index("webhooks_due", "due_us", **_only("state <> 'ready'")),
)

#: Graphs with inputs. What was deleted stays, so that runs of it can say of what they are.
presets: Final = Table(
    "presets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("graph_id", Text, nullable=False),
    Column("graph_version", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("credentials", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("is_deleted", Boolean, nullable=False, server_default=text("false")),
    Column("webhook_id", Text),
    Column("created_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Index("presets_by_user", "user_id", "updated_us", "id"),
    Index("presets_by_webhook", "webhook_id"),
)

system_jobs: Final = Table(
    "system_jobs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("started_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger, nullable=False),
    Column("result", Text, nullable=False),
    Column("due_us", BigInteger, nullable=False, server_default=text("0")),
    Column("requested_us", BigInteger),  # by an administrator
    Column("held_until_us", BigInteger, nullable=False, server_default=text("0")),
    Column("every_us", BigInteger, nullable=False, server_default=text("0")),
    Column("alerted_us", BigInteger, nullable=False, server_default=text("0")),
    Column("alerts", Integer, nullable=False, server_default=text("0")),  # told in a row
)

installation: Final = Table(
    "installation",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
