"""Alembic's door: revisions run on the connection, and in the transaction, that ``ledger.store`` holds already."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], target_metadata=None)
context.run_migrations()
