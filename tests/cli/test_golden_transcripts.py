"""What each verb shows at a terminal of 80 columns, word for word, against a dispatcher that runs.

Names, times and figures that differ from run to run are replaced; FLY_GHA_GOLDEN=write writes the files anew.
"""

import json
import os
import re
from pathlib import Path

import httpx
import pytest
from cli_world import ask, served, until
from terminal import COLUMNS, seen

GOLDEN = Path(__file__).parent / "golden"
REPLACED = (
    (r"demo-(gha-\w+)-[a-z0-9]{10}", r"demo-\1-NAME"),
    (r"Machine [0-9a-f]{14}", "Machine ID"),
    (r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}\.\d{3}Z)?", "TIME"),
    (r"\d{2}:\d{2}:\d{2}(\.\d{3})?", "CLOCK"),
    (r"\$\d+\.\d+", "$USD"),
    (r"\b\d+(\.\d+)? (s|min|h)\b", "LONG"),
    # How much room a pool's name has is up to how long things took.
    (r"gha-medi…", "gha-medium"),
    (r"\brun \d+", "run RUN"),
    (r"python -m runners.cli", "fly-gha"),
    # What was spent on waste, and the order of events, are up to the clock.
    (r"waste \$USD: .*", "waste $USD: …"),
    (r"(?s)\n {2}events\n.*\n\[0\]", "\n  events …\n[0]"),
    (r" +", " "),
)


@pytest.fixture(scope="module")
def paused(tmp_path_factory):
    """One job done, then the fleet paused, a pool drained, and a job held in each."""
    with served(tmp_path_factory.mktemp("golden")) as up:
        made = ask("token", "create", "--local", "--scope", "operate", "--config", str(up.place.fleet))
        operator = {"authorization": f"Bearer {made.stdout.strip()}"}
        for path in ("/v1/pools/gha-small/drain", "/v1/fleet/pause"):
            done = httpx.post(f"{up.place.url}{path}", json={}, headers=operator, trust_env=False)
            assert done.status_code == 200, done.text
        first = up.queue("fly-gha-medium")["job_ids"][0]
        until(lambda: held(up, first))
        second = up.queue("fly-gha-small")["job_ids"][0]
        until(lambda: held(up, second))
        runners = json.loads(ask("runners", "--all", "--json", env=up.access).stdout)["runners"]
        yield up, {"DONE": str(up.job_id), "HELD": str(first), "RUNNER": runners[0]["name"]}


def held(up, job):
    """Whether the job is known and the planner has said why it waits."""
    answer = ask("why", str(job), "--json", env=up.access)
    why = json.loads(answer.stdout)["why"] if answer.exit_code == 0 else None
    return why is not None and why["reason"] != "not_planned_yet"


def normal(text, named):
    for word, value in named.items():
        if word != "RUNNER":
            text = text.replace(value, word)
    for pattern, word in REPLACED:
        text = re.sub(pattern, word, text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


TRANSCRIPTS = {
    "status": ("status",),
    "jobs": ("jobs",),
    "jobs_all": ("jobs", "--all"),
    "jobs_none": ("jobs", "--label", "nobody-asks-for-this"),
    "why_held": ("why", "HELD"),
    "why_done": ("why", "DONE"),
    "why_reason": ("why", "--reason", "fleet_paused"),
    "runners": ("runners",),
    "runners_all": ("runners", "--all"),
    "runner": ("runner", "RUNNER"),
    "events": ("events", "--target", "job/HELD"),
    "cost": ("cost", "--by", "repo", "--by", "class"),
    "no_such_pool": ("jobs", "--pool", "gha-smal"),
    "no_such_runner": ("runner", "RUNNERx"),
    "no_such_job": ("why", "1"),
    "no_such_reason": ("why", "--reason", "pol_drained"),
    "no_such_state": ("jobs", "--state", "odd"),
    "no_such_group": ("cost", "--by", "colour"),
    "no_such_time": ("cost", "--since", "yesterday"),
    "nothing_asked": ("why",),
}


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_verb_shows_what_its_transcript_says(paused, name):
    up, named = paused
    arguments = list(TRANSCRIPTS[name])
    given = [named.get(word, word) for word in arguments]
    given = [word.replace("HELD", named["HELD"]).replace("RUNNER", named["RUNNER"]) for word in given]
    shown, code = seen(*given, env=up.access)
    assert max(len(line) for line in shown.splitlines()) <= COLUMNS
    transcript = normal(f"$ fly-gha {' '.join(arguments)}\n{shown}[{code}]\n", named)
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("FLY_GHA_GOLDEN") == "write":
        path.write_text(transcript)
    assert transcript == path.read_text()
