"""All tables of the database. A new file of tables is imported here, or it is not made."""

from backend.adapters.storage import (
    tables_accounts,
    tables_alerts,
    tables_api_keys,
    tables_audit,
    tables_budgets,
    tables_builder,
    tables_chat,
    tables_credentials,
    tables_credits,
    tables_deliveries,
    tables_jobs,
    tables_mail,
    tables_node_steps,
    tables_notices,
    tables_oauth,
    tables_usage,
    tables_watches,
)
from backend.adapters.storage.tables import metadata

__all__ = [
    "metadata",
    "tables_accounts",
    "tables_alerts",
    "tables_api_keys",
    "tables_audit",
    "tables_budgets",
    "tables_builder",
    "tables_chat",
    "tables_credentials",
    "tables_credits",
    "tables_deliveries",
    "tables_jobs",
    "tables_mail",
    "tables_node_steps",
    "tables_notices",
    "tables_oauth",
    "tables_usage",
    "tables_watches",
]
