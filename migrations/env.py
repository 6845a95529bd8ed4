"""Alembic's way into the project: the connection, in a transaction, comes from `queue_tool.store.migrations`."""

from alembic import context

from queue_tool.store.indexes import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
