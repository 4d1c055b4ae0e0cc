"""Run by Alembic: applies the steps over the connection that `migrate` gives it."""

from alembic import context

from backend.adapters.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
