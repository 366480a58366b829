"""Every documented series has a non-zero sample in a fleet that runs: real processes, simulated worlds."""

import threading
from contextlib import contextmanager

import httpx
import pytest
from cli_world import ask, served, until
from prometheus_client.parser import text_string_to_metric_families

from runners.api.metric_names import SERIES, series
from runners.model.states import PHASES

# The first pool's, which is gha-medium.
SPARES = "stopped = 0\nready = 0\n"


def with_spares_and_a_budget(text):
    assert SPARES in text
    return text.replace(SPARES, "stopped = 1\nready = 1\ndaily_budget_usd = 50\n", 1)


def scrape(up):
    token = up.place.token_file.read_text().strip()
    answer = httpx.get(
        f"{up.place.url}/metrics", headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=20
    )
    assert answer.status_code == 200, answer.text
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def stem(name):
    """The series of a sample: a histogram has several samples of other names."""
    for suffix in ("_bucket", "_count", "_sum", "_created"):
        if name.removesuffix(suffix) in series():
            return name.removesuffix(suffix)
    return name


@contextmanager
def reading_the_stream(up):
    """Somebody who watches, while the scrapes are made."""
    begun, done = threading.Event(), threading.Event()
    headers = {"authorization": f"Bearer {up.place.token_file.read_text().strip()}"}

    def read():
        with httpx.stream(
            "GET", f"{up.place.url}/v1/status/stream", headers=headers, trust_env=False
        ) as answer:
            for _ in answer.iter_bytes():
                begun.set()
                if done.is_set():
                    return

    thread = threading.Thread(target=read)
    thread.start()
    try:
        assert begun.wait(20)
        yield
    finally:
        done.set()
        thread.join(30)


def provoke(up):
    """Bring about everything that a metric is there to show."""
    made = ask("token", "create", "--local", "--scope", "operate", "--config", str(up.place.fleet))
    operator = {"authorization": f"Bearer {made.stdout.strip()}"}
    up.queue("fly-gha-medium", approve_after_s=3000.0)
    up.queue("fly-gha-medium", seconds=60)
    until(lambda: value(scrape(up), "queue_jobs", pool="gha-medium", state="in_progress"))
    until(lambda: value(scrape(up), "spares", pool="gha-medium", kind="stopped"))
    until(lambda: value(scrape(up), "spares", pool="gha-medium", kind="ready"))
    for path in ("/v1/pools/gha-small/drain", "/v1/fleet/pause"):
        answer = httpx.post(f"{up.place.url}{path}", json={}, headers=operator, trust_env=False)
        assert answer.status_code == 200, answer.text
    for _ in range(3):
        up.queue("fly-gha-medium")
    wrong = {"x-hub-signature-256": "sha256=0", "x-github-event": "workflow_job"}
    refused = httpx.post(f"{up.place.url}/webhooks/github", json={}, headers=wrong, trust_env=False)
    assert refused.status_code == 401
    until(lambda: [key for key in scrape(up) if key[0] == "fly_gha_held"])


def value(samples, name, **labels):
    return samples.get((f"fly_gha_{name}", tuple(sorted(labels.items()))), 0)


@pytest.mark.timeout(115)
def test_every_documented_series_has_a_sample_that_is_not_zero(tmp_path):
    seen = {}

    def look(up):
        found = scrape(up)
        assert {stem(name) for name, _ in found} <= set(series())
        seen.update({key: number for key, number in found.items() if number})
        return found

    with served(tmp_path, with_spares_and_a_budget) as up:
        provoke(up)
        with reading_the_stream(up):
            look(up)
            up.worlds.kill()
            # Without its upstreams the fleet fails to read, and its breakers open one after the other.
            until(lambda: value(look(up), "breaker_state", upstream="fly:acme-runners-a", state="open"))
            until(lambda: value(look(up), "upstream_blocked_seconds", upstream="fly:acme-runners-a"))
    zero = [name for name in SERIES if f"fly_gha_{name}" not in {stem(key[0]) for key in seen}]
    assert not zero, f"never seen other than zero: {zero}"
    refused = value(seen, "webhook_refusals_total", reason="signature_wrong")
    assert refused == 1
    for phase in PHASES[1:]:
        labels = {"pool": "gha-medium", "phase": phase}
        assert value(seen, "phase_seconds_count", **labels), phase
    for spent_on in ("busy", "boot", "spare", "idle", "stopped"):
        assert value(seen, "cost_today_usd", pool="gha-medium", spent_on=spent_on), spent_on
