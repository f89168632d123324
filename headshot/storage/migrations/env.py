"""Alembic runs this file: it runs the migrations on the connection and in the transaction that `migrate` began."""

from alembic import context

from headshot.storage.schema import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
