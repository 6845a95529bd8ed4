"""The environment of Alembic. `queue_tool.store.migrations` passes the connection, which has an open transaction."""

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
