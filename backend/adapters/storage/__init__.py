"""Storage on SQLAlchemy Core: one set of tables and functions for SQLite and PostgreSQL."""

from backend.adapters.storage.storage import SqlStorage, open_storage

__all__ = ["SqlStorage", "open_storage"]
