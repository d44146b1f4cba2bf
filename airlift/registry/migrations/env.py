"""What Alembic runs: the revisions still to come, inside the caller's transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # SQLite can roll back a half-made table; Alembic does not assume it.
    transactional_ddl=True,
)
context.run_migrations()
