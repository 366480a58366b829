"""A store in memory with the newest tables: copied, since migrating anew takes longer than many a test."""

import functools

from runners.store import migrate
from runners.store.engine import InlineStore


def migrated_store() -> InlineStore:
    """A store of its own; nothing is shared with another."""
    store = InlineStore()
    _connection(store).deserialize(_newest())
    return store


@functools.cache
def _newest() -> bytes:
    store = InlineStore()
    store.transact(migrate.upgrade)
    try:
        return _connection(store).serialize()
    finally:
        store.dispose()


def _connection(store: InlineStore):
    held = store._engine.raw_connection()
    try:
        return held.driver_connection
    finally:
        held.close()
