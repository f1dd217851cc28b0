"""Alembic's entry: runs the revisions on the connection that migrate.py hands over, inside its transaction."""

from alembic import context

from eisbach.stores.sql.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the transaction is migrate.py's: all revisions or none
)
context.run_migrations()
