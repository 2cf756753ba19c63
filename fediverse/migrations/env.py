"""Alembic's entry: migrates over the connection that it is given, inside its transaction."""

from alembic import context

from fediverse.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller's transaction spans everything
    render_as_batch=True,
)
context.run_migrations()
