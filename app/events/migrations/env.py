"""Run by Alembic: migrates over the connection that `app.events.migrate` gives it, inside its transaction."""

from alembic import context

from app.events.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
