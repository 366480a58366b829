"""A store that was closed says so, whoever still asks."""

import pytest

from runners.store.engine import open_store
from runners.store.errors import StoreUnavailable


async def test_an_operation_after_the_end_is_refused_as_unavailable_and_not_as_a_bug(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/fleet.db")
    await store.migrate()
    await store.close()
    with pytest.raises(StoreUnavailable, match="stopping"):
        await store.run(lambda conn: conn.exec_driver_sql("select 1").scalar_one())
