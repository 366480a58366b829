"""Every simulator is judged and steered through the same routes."""

import httpx
from fastapi import FastAPI

from simulator.control_face import control_router
from simulator.faults import Faults
from simulator.journal import Journal


class StoppedClock:
    def now(self) -> float:
        return 1000.0

    async def sleep(self, seconds: float) -> None:
        return


def _client() -> tuple[Journal, Faults, FastAPI, httpx.AsyncClient]:
    journal = Journal(StoppedClock())
    faults = Faults(journal, frozenset({"never_boots"}))
    app = FastAPI()
    app.include_router(control_router(journal, faults, lambda: {"live": 0}))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sim")
    return journal, faults, app, client


async def test_the_journal_is_read_from_where_the_reader_left_off() -> None:
    journal, _, _, client = _client()
    journal.record("machine_created", name="a")
    journal.record("machine_created", name="b")
    answer = (await client.get("/_sim/journal", params={"after": 1})).json()
    assert [entry["name"] for entry in answer["entries"]] == ["b"]
    assert answer["last_seq"] == 2


async def test_a_fault_is_armed_over_http_and_listed_until_it_fired() -> None:
    _, faults, _, client = _client()
    made = await client.post("/_sim/faults", json={"kind": "never_boots", "match": {"app": "a"}})
    assert made.status_code == 201
    fault_id = made.json()["id"]
    assert (await client.get("/_sim/faults")).json()["unfired"] == [fault_id]
    faults.fire("never_boots", app="a")
    listed = (await client.get("/_sim/faults")).json()
    assert listed["unfired"] == []
    assert listed["faults"][0]["fired"] == 1


async def test_a_misspelt_fault_is_refused_and_says_which_exist() -> None:
    _, _, _, client = _client()
    refused = await client.post("/_sim/faults", json={"kind": "never_boot"})
    assert refused.status_code == 422
    assert "never_boots" in refused.json()["detail"]
    assert (await client.post("/_sim/faults", json={"kind": "never_boots", "matches": {}})).status_code == 422


async def test_the_control_routes_stay_out_of_the_published_api() -> None:
    _, _, app, client = _client()
    assert app.openapi()["paths"] == {}
    assert (await client.get("/_sim/state")).json() == {"live": 0}
