"""Alembic's way in. `cti.db.migrate` gives the connection; nothing is read from a file."""

from alembic import context

from cti.db.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
context.run_migrations()
