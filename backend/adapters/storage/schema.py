"""All tables of the database. A new file of tables is imported here, or it is not made."""

from backend.adapters.storage import (
    tables_accounts,
    tables_api_keys,
    tables_audit,
    tables_builder,
    tables_credentials,
    tables_credits,
    tables_deliveries,
    tables_mail,
    tables_oauth,
)
from backend.adapters.storage.tables import metadata

__all__ = [
    "metadata",
    "tables_accounts",
    "tables_api_keys",
    "tables_audit",
    "tables_builder",
    "tables_credentials",
    "tables_credits",
    "tables_deliveries",
    "tables_mail",
    "tables_oauth",
]
