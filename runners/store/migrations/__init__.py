"""Alembic revisions of the store, applied in code by ``runners.store.migrate``."""
