"""The stand-in runner against a served GitHubSim: real processes, real HTTP."""

import json
import signal
import stat
from pathlib import Path

import pytest

LISTENER = "bin/Runner.Listener"


def jit(served, **more):
    return {"ACTIONS_RUNNER_INPUT_JITCONFIG": served.jit(), **more}


async def until_running(served):
    await served.until(lambda: served.sim.journal.of("job_started"))


async def test_a_jit_runner_does_one_job_and_leaves_nothing(served, start, folder):
    job_id = await served.queue({"name": "build", "seconds": 0.05})
    code, said = await (await start(LISTENER, "run", env=jit(served))).end()
    assert code == 0, said
    lines = [line.partition("Z: ")[2] or line for line in said.splitlines()]
    order = ["√ Connected to GitHub", "Listening for Jobs", "Running job: build"]
    assert [line for line in lines if line in order] == order
    assert "Job build completed with result: Succeeded" in said
    assert not (folder / ".runner").exists()
    assert not (folder / ".credentials_rsaparams").exists()
    job = served.sim.queue.jobs[job_id]
    assert (job.conclusion, job.seat.name) == ("success", "r1")
    await served.until(lambda: not served.sim.registrations.all())
    assert served.sim.journal.of("runner_removed")[0]["why"] == "finished"


async def test_a_registration_token_makes_a_runner_with_exactly_the_labels_asked_for(served, start, folder):
    base = served.sim.public_url
    flags = "--unattended --ephemeral --no-default-labels --disableupdate --runnergroup Default --work _work"
    code, said = await (
        await start(
            "config.sh",
            *flags.split(),
            *("--labels", "fly,big", "--name", "r7", "--url", f"{base}/acme"),
            env={"ACTIONS_RUNNER_INPUT_TOKEN": served.registration_token()},
        )
    ).end()
    assert code == 0, said
    assert "√ Connected to GitHub" in said
    assert "√ Settings Saved." in said
    assert stat.S_IMODE((folder / ".credentials_rsaparams").stat().st_mode) == 0o600
    (runner,) = served.sim.registrations.all()
    assert (runner.name, runner.labels, runner.mode, runner.ephemeral) == (
        "r7",
        ("fly", "big"),
        "token",
        True,
    )
    await served.queue({"name": "build", "seconds": 0.01})
    code, said = await (await start("run.sh")).end()
    assert code == 0, said
    assert served.kinds("job_completed") == ["job_completed"]


async def test_hooks_run_around_the_steps_with_the_jobs_environment_and_no_secret(served, start, tmp_path):
    hooks = {}
    for verb in ("STARTED", "COMPLETED"):
        path = tmp_path / f"{verb}.sh"
        path.write_text(
            f'echo "{verb} $GITHUB_RUN_ID $GITHUB_JOB $GITHUB_REPOSITORY $RUNNER_NAME" >> "$HOOK_LOG"\nenv\n'
        )
        hooks[f"ACTIONS_RUNNER_HOOK_JOB_{verb}"] = str(path)
    log = tmp_path / "hooks.log"
    job_id = await served.queue({"name": "build", "seconds": 0.01})
    code, said = await (await start(LISTENER, "run", env=jit(served, HOOK_LOG=str(log), **hooks))).end()
    assert code == 0, said
    run_id = served.sim.queue.jobs[job_id].run.id
    tail = f"{run_id} build acme/web r1"
    assert log.read_text().splitlines() == [f"STARTED {tail}", f"COMPLETED {tail}"]
    assert "ACTIONS_RUNNER_INPUT" not in said


async def test_a_failing_started_hook_fails_the_job_before_its_steps(served, start, tmp_path):
    hook = tmp_path / "no.sh"
    hook.write_text("exit 3\n")
    job_id = await served.queue({"name": "build", "seconds": 30})
    code, _ = await (
        await start(LISTENER, "run", env=jit(served, ACTIONS_RUNNER_HOOK_JOB_STARTED=str(hook)))
    ).end()
    job = served.sim.queue.jobs[job_id]
    assert (code, job.conclusion, job.steps[1].conclusion) == (0, "failure", "skipped")


async def test_a_step_is_a_real_process_with_the_jobs_environment(served, start):
    await served.queue({"name": "look", "seconds": 31.5})
    program = await start(LISTENER, "run", env=jit(served))
    await until_running(served)

    def steps():
        pid = program.process.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    await served.until(steps)

    def environment():
        text = Path(f"/proc/{steps()[0]}/environ").read_text()
        return dict(line.split("=", 1) for line in text.split("\0") if line)

    await served.until(lambda: "GITHUB_JOB" in environment())
    found = environment()
    assert (found["GITHUB_JOB"], found["GITHUB_WORKFLOW"], found["RUNNER_NAME"]) == ("build", "CI", "r1")
    assert not [name for name in found if name.startswith("ACTIONS_RUNNER_INPUT_")]


async def test_a_failing_step_skips_the_rest(served, start):
    job_id = await served.queue(
        {"name": "bad", "seconds": 0.01, "kind": "fail"}, {"name": "never", "seconds": 30}
    )
    env = jit(served, ACTIONS_RUNNER_RETURN_JOB_RESULT_FOR_HOSTED="1")
    code, _ = await (await start(LISTENER, "run", env=env)).end()
    job = served.sim.queue.jobs[job_id]
    assert (code, job.conclusion) == (102, "failure")
    assert [step.conclusion for step in job.steps] == ["success", "failure", "skipped"]


async def test_sigterm_cancels_the_running_job(served, start):
    job_id = await served.queue({"name": "long", "seconds": 60})
    program = await start(LISTENER, "run", env=jit(served))
    await until_running(served)
    program.process.send_signal(signal.SIGTERM)
    code, said = await program.end()
    assert code == 0, said
    assert served.sim.queue.jobs[job_id].conclusion == "cancelled"


async def test_sigterm_ends_an_idle_runner_at_once(served, start):
    program = await start(LISTENER, "run", env=jit(served))
    await served.until(lambda: served.sim.journal.of("runner_online"))
    program.process.send_signal(signal.SIGTERM)
    code, said = await program.end()
    assert code == 0
    assert "Exiting..." in said
    assert not served.sim.registrations.all()[0].online


async def test_a_deleted_registration_ends_the_listener_with_0_and_removes_its_files(served, start, folder):
    program = await start(LISTENER, "run", env=jit(served))
    await served.until(lambda: served.sim.journal.of("runner_online"))
    served.sim.registrations.delete("orgs/acme", served.sim.registrations.all()[0].id)
    code, said = await program.end()
    assert code == 0
    assert "no longer exists" in said
    assert not (folder / ".runner").exists()


async def test_a_cancel_reaches_the_running_job_with_a_renewal(served, start):
    job_id = await served.queue({"name": "long", "seconds": 60})
    program = await start(LISTENER, "run", env=jit(served))
    await until_running(served)
    await served.http.post(f"/_sim/jobs/{job_id}/cancel")
    code, said = await program.end()
    assert code == 0, said
    assert served.sim.queue.jobs[job_id].conclusion == "cancelled"


async def test_a_dying_machine_says_nothing_and_its_job_is_lost_when_the_lock_expires(served, start):
    served.sim.queue._scale *= 10
    job_id = await served.queue({"name": "boom", "seconds": 0.05, "kind": "kill_machine"})
    program = await start(LISTENER, "run", env=jit(served))
    code, _ = await program.end()
    assert code == -signal.SIGKILL
    job = served.sim.queue.jobs[job_id]
    assert (job.status, job.seat.name) == ("in_progress", "r1")
    await served.until(lambda: job.status == "completed")
    assert job.conclusion == "failure"
    assert served.sim.journal.of("job_completed")[0]["why"] == "lost communication"


@pytest.mark.parametrize(
    ("variable", "code"), [({}, 1), ({"ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE": "1"}, 7)]
)
async def test_an_outdated_version_ends_with_1_or_on_request_with_7(served, start, variable, code):
    served.sim.faults.add("runner_version_deprecated")
    found, said = await (await start(LISTENER, "run", env=jit(served, **variable))).end()
    assert (found, "deprecated" in said) == (code, True)


async def test_a_second_session_gives_up_with_5(served, start, folder):
    served.sim.sessions._scale *= 10
    env = jit(served)
    first = await start(LISTENER, "run", env=env)
    await served.until(lambda: served.sim.journal.of("runner_online"))
    code, said = await (await start(LISTENER, "run")).end()
    assert code == 5, said
    assert first.process.returncode is None


async def test_after_a_failed_started_hook_only_steps_that_always_run_are_begun(served, start, tmp_path):
    hook = tmp_path / "started.sh"
    hook.write_text("exit 1\n")
    steps = [{"name": "build", "seconds": 5}, {"name": "tidy", "always": True}]
    job_id = await served.queue(*steps)
    env = jit(served, ACTIONS_RUNNER_HOOK_JOB_STARTED=str(hook))
    code, said = await (await start(LISTENER, "run", env=env)).end()
    assert code == 0, said
    job = served.sim.queue.jobs[job_id]
    assert job.conclusion == "failure"
    ends = {step.name: step.conclusion for step in job.steps}
    assert (ends["build"], ends["tidy"]) == ("skipped", "success")


async def test_a_step_without_a_place_for_its_commands_fails(served, start, folder, tmp_path):
    """What a hook does that removes the place; who is root may write into a folder that is merely shut."""
    hook = tmp_path / "started.sh"
    hook.write_text('rm -r "$RUNNER_TEMP" && touch "$RUNNER_TEMP" && exit 1\n')
    job_id = await served.queue({"name": "tidy", "always": True})
    env = jit(served, ACTIONS_RUNNER_HOOK_JOB_STARTED=str(hook))
    code, said = await (await start(LISTENER, "run", env=env)).end()
    assert code == 0, said
    ends = {step.name: step.conclusion for step in served.sim.queue.jobs[job_id].steps}
    assert ends["tidy"] == "failure"


async def test_a_hook_learns_what_triggered_the_job_as_at_github(served, start, tmp_path):
    hook, seen = tmp_path / "started.sh", tmp_path / "seen"
    hook.write_text(
        'echo "$GITHUB_EVENT_NAME $GITHUB_WORKFLOW_REF" > "$SEEN"; cat "$GITHUB_EVENT_PATH" >> "$SEEN"\n'
    )
    wish = {
        "repository": "acme/web",
        "jobs": [{"name": "build", "labels": ["fly"]}],
        "event": "pull_request",
        "head_branch": "fix",
        "head_repository": "stranger/web",
    }
    await served.http.post("/_sim/runs", json=wish)
    env = jit(served, ACTIONS_RUNNER_HOOK_JOB_STARTED=str(hook), SEEN=str(seen))
    code, said = await (await start(LISTENER, "run", env=env)).end()
    assert code == 0, said
    names, payload = seen.read_text().split("\n", 1)
    assert names == "pull_request acme/web/.github/workflows/ci.yml@refs/heads/fix"
    payload = json.loads(payload)
    assert payload["repository"] == {"full_name": "acme/web", "private": True}
    assert payload["pull_request"]["head"]["repo"]["full_name"] == "stranger/web"
