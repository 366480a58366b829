"""What the status page shows as it is served: whole without scripts, safe whatever others wrote, limited."""

import gzip
import re

import pytest
from api_world import NOW, World, payload, settings
from test_page_signin import signed_in

from runners.api.page import answers, desk
from runners.control.loop import LoopHealth
from runners.model.reason import Reason, Why
from runners.model.states import RunnerState
from runners.store import events, pools
from runners.store.engine import InlineStore
from runners.store.errors import StoreUnavailable

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


async def page(world, path="/", **limits):
    answer = await (await signed_in(world, **limits)).get(path)
    assert answer.status_code == 200
    return answer.text


def part(text, name):
    """The HTML of one part of a page."""
    return re.search(rf'data-part="{name}".*?(?=<section|</main>)', text, re.DOTALL)[0]


def plain(html):
    """What a reader reads."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace(" .", ".").replace(" ,", ",")


async def test_the_page_is_whole_without_scripts(world):
    await world.add_job(1, name="lint")
    await world.add_runner("r-1")
    await world.plan()
    text = await page(world)
    for heading in ("What is wrong", "Pools", "Runners", "Queue", "Phase latencies", "Events"):
        assert f">{heading}</h2>" in text
    assert "1 queued" in plain(part(text, "summary"))
    assert "lint" in part(text, "queue")
    assert 'href="/runners/r-1"' in part(text, "runners")
    assert "Nothing is wrong." in plain(part(text, "wrong"))


async def test_a_waiting_job_has_its_why_its_age_and_its_expected_start(world):
    await world.add_job(1, queued_at=NOW - 75)
    await world.plan()
    text = plain(part(await page(world), "queue"))
    assert "1 min 15 s" in text
    assert "supply_on_its_way: a Machine is being requested for it now" in text
    assert "in 10 s" in text
    assert "low" in text


async def test_jobs_awaiting_approval_come_after_those_that_a_runner_could_start(world):
    await world.deliver(payload(1, "waiting"))
    await world.deliver(payload(2))
    text = part(await page(world), "queue")
    assert re.findall(r'id="job-(\d+)"', text) == ["2", "1"]


async def test_what_is_wrong_comes_worst_first(world):
    world.health = [LoopHealth("planner", 5.0, failures=3, last_pass_at=NOW, last_error="it broke")]
    world.missing = {"github:globex": "GITHUB_INSTALLATION_TOKEN_GLOBEX"}
    world.ageing = {"GITHUB_INSTALLATION_TOKEN_ACME": 300.0, "GITHUB_INSTALLATION_TOKEN_GLOBEX": 20.0}
    world.blocked_until = {"fly:app-b": NOW + 90}
    for number in range(5):
        await world.add_job(number + 1)
    await world.store.run(lambda conn: pools.set_fleet_paused(conn, True))
    await world.plan()
    text = part(await page(world), "wrong")
    assert re.findall(r'<span class="level">([^<]+)', text) == ["Failing"] * 4 + ["Held back", "By order"]
    said = plain(text)
    assert "The loop planner fails. it broke" in said
    assert "credential GITHUB_INSTALLATION_TOKEN_GLOBEX is missing" in said
    assert "GITHUB_INSTALLATION_TOKEN_ACME ends soon and was not replaced; it works until then." in said
    assert "GITHUB_INSTALLATION_TOKEN_GLOBEX ends soon" not in said
    assert "May end in 1 min 30 s." in said
    assert "pool_at_max: 2 of 2 Machines of pool gha-small are in use. Holds back 3 in gha-small." in said
    assert "The fleet is paused" in said


async def test_a_pool_that_its_group_closes_launches_nothing_and_holds_no_number_back(world):
    closed = Why(Reason.GROUP_ALLOWS_PUBLIC, "runner group Default lets public repositories in")
    await world.plan(distrust={"gha-small": closed})
    text = await page(world)
    said = plain(part(text, "wrong"))
    assert "lets public repositories in. Nothing is launched in gha-small." in said
    assert "Launches nothing: group_allows_public: runner group Default" in plain(part(text, "pools"))
    assert not re.search(r"[Hh]eld back:|Holds back", plain(text))


async def test_what_went_wrong_in_the_last_hour_is_told_with_what_to_do(world):
    for name, at in (("r-1", NOW - 60), ("r-2", NOW - 30), ("r-3", NOW - 3700)):
        await world.store.run(
            lambda conn, target=f"runner/{name}", when=at: events.append(
                conn, at=when, actor="planner", verb="moved", target=target, reason=Reason.NEVER_CLAIMED
            )
        )
    await world.plan()
    text = plain(part(await page(world), "wrong"))
    assert "Nothing is wrong." in text
    assert "In the last hour never_claimed 2 times" in text
    assert "What to do: check that Machines can reach fleet.public_url" in text
    limited = plain(part(await page(world, pools=("gha-small",)), "wrong"))
    assert "never_claimed" not in limited


async def test_before_the_first_plan_that_is_what_is_wrong(world):
    assert "The planner has not decided anything yet." in part(await page(world), "wrong")


async def test_a_drained_pool_says_by_whom_when_and_why(world):
    token = await world.token("operate")
    client = world.connect(authorization=f"Bearer {token}")
    said = "moving to <b>fra</b>"
    await client.post("/v1/pools/gha-small/drain", json={"reason": said})
    text = part(await page(world), "pools")
    shown = re.search(r'<li id="pool-gha-small".*?</dl>(.*?)</ul>', text, re.DOTALL)
    assert '<span class="badge drained">Drained</span>' in shown[0]
    assert f"Drained by test (token:{token.split('_')[1]}) at" in plain(shown[1])
    assert "<q>moving to &lt;b&gt;fra&lt;/b&gt;</q>" in shown[1]
    assert text.count("badge drained") == 1


async def test_a_pool_drained_by_its_setting_says_so(open_world):
    world = await open_world(
        pools=[{"name": "gha-small", "scope": "orgs/acme", "apps": ["app-a"], "drained": True}]
    )
    assert "Drained by fleet.toml." in plain(part(await page(world), "pools"))


async def test_a_limited_reader_learns_the_operators_words_but_not_another_tokens_name(world):
    token = await world.token("operate")
    client = world.connect(authorization=f"Bearer {token}")
    await client.post("/v1/pools/gha-small/drain", json={"reason": "INC-42"})
    await client.post("/v1/fleet/pause", json={"reason": "not for everybody"})
    text = plain(await page(world, pools=("gha-small",)))
    assert f"Drained by token:{token.split('_')[1]} at" in text
    assert "INC-42" in text
    assert "The fleet is paused: it launches nothing. By an operator." in text
    assert "not for everybody" not in text


async def test_an_operators_override_shows_as_one(world):
    await world.store.run(lambda conn: pools.set_override(conn, "gha-medium", max_machines=9, ready=1))
    text = plain(part(await page(world), "pools"))
    assert "An operator has overridden fleet.toml: max_machines is 9, ready is 1." in text


async def test_a_runner_past_its_deadline_is_marked_in_words_too(world):
    await world.add_runner("r-1", state=RunnerState.CLAIMED)
    world.clock.at += 121
    cell = re.search(r'<li id="r-r-1">.*?</li>', await page(world))[0]
    assert 'class="cell claimed late"' in cell
    assert "past its deadline" in cell


async def test_text_of_others_is_text_and_nothing_else(world):
    await world.deliver(
        payload(1, name=HOSTILE, workflow_name=HOSTILE, head_branch=HOSTILE, html_url=HOSTILE)
    )
    await world.store.run(
        lambda conn: events.append(
            conn, at=NOW, actor="webhook", verb="accepted", target="job/1", reason=Reason.DEMAND,
            detail=HOSTILE,
        )
    )  # fmt: skip
    await world.plan()
    for path in ("/", "/jobs/1"):
        text = await page(world, path)
        assert "<img" not in text
        assert "<script>" not in text
        assert "&lt;script&gt;alert(1)" in text
        assert not re.findall(r"<[^>]*\son[a-z]+=", text)
        assert set(re.findall(r'(?:href|src|action)="(?!/|https?://)([^"]*)', text)) <= {"", "#main"}


async def test_the_templates_hold_no_inline_script_style_or_handler_and_load_nothing_from_elsewhere(world):
    await world.add_runner("r-1")
    client = await signed_in(world)
    for path in ("/", "/runners/r-1", "/signin"):
        text = (await (client if path != "/signin" else world.connect()).get(path)).text
        assert not re.findall(r"<style|\sstyle=|javascript:|<script(?![^>]*\ssrc=)", text)
        assert not re.findall(r"<[^>]*\son[a-z]+=", text)
        loaded = re.findall(r'(?:src|href)="([^"]*)"', text)
        assert all(
            each == "" or (each.startswith("/") and not each.startswith("//")) or each == "#main"
            for each in loaded
        )


async def test_every_answer_of_the_page_has_the_headers_that_keep_it_harmless(world):
    client = await signed_in(world)
    for path in ("/", "/live", "/jobs/9", "/page/page.css", "/page/page.js"):
        headers = (await client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
    assert (await client.get("/")).headers["cache-control"] == "no-store"


async def test_a_limited_token_sees_its_limited_page_and_the_whole_is_not_in_it(world):
    await world.deliver(payload(1, repository="acme/api"))
    await world.deliver(payload(2, repository="acme/secret", name="hush"))
    await world.add_runner("r-hidden", state=RunnerState.BUSY, job_id=2)
    await world.add_runner("m-1", pool="gha-medium")
    await world.plan()
    text = await page(world, repositories=("acme/api",), pools=("gha-small",))
    assert "acme/api" in text
    for hidden in ("acme/secret", "hush", "r-hidden", "gha-medium", "globex", "job/2", "m-1"):
        assert hidden not in text
    assert "with what you may see" in text
    client = await signed_in(world, repositories=("acme/api",))
    assert (await client.get("/jobs/2")).status_code == 404
    assert (await client.get("/runners/r-hidden")).status_code == 404


async def test_a_job_that_waits_has_a_page_that_says_why_and_what_to_do(world):
    for number in (1, 2, 3):
        await world.add_job(number, name="lint")
    await world.plan()
    text = plain(await page(world, "/jobs/3"))
    assert "Why it is queued" in text
    assert "pool_at_max: 2 of 2 Machines of pool gha-small are in use" in text
    assert "What to do: wait" in text
    assert "Place in the queue of its pool 3" in text


async def test_a_runner_has_a_page_with_its_way_and_its_events(world):
    await world.add_runner("r-1", state=RunnerState.IDLE, online_at=NOW - 20)
    text = plain(await page(world, "/runners/r-1"))
    assert "It is idle" in text
    assert "planner requested runner/r-1 demand" in text


@pytest.mark.parametrize("path", ["/jobs/77", "/runners/nobody"])
async def test_what_is_not_there_is_said_on_a_page(world, path):
    answer = await (await signed_in(world)).get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "there is no such" in answer.text


async def test_a_database_that_is_away_is_said_on_a_page(world, monkeypatch):
    client = await signed_in(world)

    async def away(op):
        raise StoreUnavailable("read", "it is away", "wait")

    monkeypatch.setattr(world.store, "run", away)
    for path in ("/", "/jobs/1", "/runners/r-1"):
        answer = await client.get(path)
        assert answer.status_code == 503
        assert "database cannot be used" in answer.text


async def test_an_update_brings_only_what_the_browser_does_not_have(world):
    await world.add_job(1)
    await world.plan()
    client = await signed_in(world)
    whole = (await client.get("/live")).json()
    assert set(whole["parts"]) == set(desk.PARTS)
    have = ",".join(each["mark"] for each in whole["parts"].values())
    world.clock.at += 5
    assert (await client.get("/live", params={"have": have})).json()["parts"] == {}
    await world.add_job(2)
    world.clock.at += 1
    changed = (await client.get("/live", params={"have": have})).json()
    assert set(changed["parts"]) == {"summary", "pools", "queue", "events", "wrong"} - {"wrong"}
    assert changed["revision"] > whole["revision"]


async def test_pages_that_ask_at_once_share_one_drawing_that_is_never_old(world, monkeypatch):
    client, other = await signed_in(world), await signed_in(world)
    drawn = []
    parts = world.app.state.page.renderer.parts
    monkeypatch.setattr(world.app.state.page.renderer, "parts", lambda *args: drawn.append(1) or parts(*args))
    first = (await client.get("/live")).json()
    await world.add_job(1)
    second = (await other.get("/live")).json()
    assert (first["fresh"], second["fresh"]) == (True, False)
    assert second["revision"] == first["revision"]
    assert len(drawn) == 1
    world.clock.at += desk.KEPT_S
    third = (await other.get("/live")).json()
    assert third["fresh"]
    assert third["revision"] > first["revision"]
    assert len(drawn) == 2


async def test_a_drawing_for_one_sight_is_never_shown_to_another(world):
    await world.deliver(payload(1, name="hush", repository="globex/x"))
    everybody = await signed_in(world)
    limited = await signed_in(world, repositories=("acme/*",))
    assert "globex" in (await everybody.get("/live")).text
    assert "globex" not in (await limited.get("/live")).text


async def test_drawings_are_forgotten_rather_than_kept_for_every_sight_there_ever_was(world, monkeypatch):
    monkeypatch.setattr(desk, "SIGHTS_MAX", 2)
    for repository in ("a/*", "b/*", "c/*"):
        await (await signed_in(world, repositories=(repository,))).get("/live")
    assert len(world.app.state.page._drawn) == 2


@pytest.mark.parametrize("have", ["x" * 513, "zz,../..", ",,,"])
async def test_marks_that_are_none_are_no_marks(world, have):
    answer = await (await signed_in(world)).get("/live", params={"have": have})
    assert answer.status_code == 422 if len(have) > 512 else len(answer.json()["parts"]) == len(desk.PARTS)


async def test_updates_are_compressed_for_browsers_that_take_it(world):
    client = await signed_in(world)
    packed = await client.get("/live", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    unpacked = await client.get("/live", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in unpacked.headers
    assert len(gzip.compress(unpacked.content)) < len(unpacked.content) / 2
    assert packed.json()["parts"].keys() == unpacked.json()["parts"].keys()


async def test_files_are_sent_once_and_then_only_when_they_have_changed(world):
    client = world.connect()
    for name in answers.ASSETS:
        first = await client.get(f"/page/{name}")
        assert first.status_code == 200, name
        again = await client.get(f"/page/{name}", headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    for name in ("nothing.js", "..%2frender.py", "base.html"):
        assert (await client.get(f"/page/{name}")).status_code == 404


async def test_two_apps_of_one_process_share_nothing():
    worlds = []
    for _ in range(2):
        store = InlineStore()
        await store.migrate()
        worlds.append(World(store, settings()))
    await worlds[0].add_job(1, name="only here")
    client = await signed_in(worlds[0])
    assert "only here" in (await client.get("/")).text
    assert (await worlds[1].client.get("/", headers={"cookie": str(client.cookies)})).status_code == 303
    for world in worlds:
        await world.store.close()
