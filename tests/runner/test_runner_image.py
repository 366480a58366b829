"""The runner image, read to the letter and linted; what its files do is run in test_entry.py and below.

No container is built here. The Dockerfile checks what only a build can: that the runner is the pinned one and
starts as its user, that Docker takes its configuration, that the agent runs with the image's Python.
"""

import ipaddress
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from image_world import PLACE, ROOT, copied, entrypoint, environment, instructions
from jsonschema import Draft7Validator
from runner_image import pins

from machines.runner import boot, entry

PROGRAMS = ["boot.py", "entry.py", "hook.py"]
HADOLINT = Path(sys.executable).with_name("hadolint")
# `cd` for the rest of one step is no other working directory; a file of tokens is no token.
MEANT = {"DL3003", "DL3064"}


def rests(word):
    return [rest for found, rest in instructions() if found == word]


def lint(text, tmp_path):
    file = tmp_path / "Dockerfile"
    file.write_text(text)
    call = [HADOLINT, "--no-color", "--format", "json", file]
    return {
        each["code"] for each in json.loads(subprocess.run(call, capture_output=True, check=False).stdout)
    }


@pytest.mark.parametrize("dockerfile", sorted(path.relative_to(ROOT).as_posix() for path in
                                              ROOT.glob("machines/*/Dockerfile")))  # fmt: skip
def test_the_linter_finds_nothing_in_a_dockerfile_nor_in_its_shell(dockerfile, tmp_path):
    assert lint((ROOT / dockerfile).read_text(), tmp_path) <= MEANT


def test_the_linter_would_find_something(tmp_path):
    found = lint("FROM ubuntu\nRUN cd /tmp && apt-get install x && echo $HOME/*\n", tmp_path)
    assert found >= {"DL3006", "DL3008", "SC2086"}


def test_it_holds_these_files_of_the_repository_and_no_other():
    assert [(sources, destination) for sources, destination, _ in copied()] == [
        ([f"machines/runner/{name}" for name in PROGRAMS], "/opt/fly-gha/"),
        (["machines/runner/daemon.json"], "/etc/docker/daemon.json"),
    ]
    assert "ADD" not in {word for word, _ in instructions()}


def test_job_code_may_change_none_of_them():
    assert all(options == ["--chown=0:0", "--chmod=0644"] for _, _, options in copied())


def test_nothing_else_is_even_sent_to_the_builder():
    lines = (PLACE / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    sent = sorted(source for sources, _, _ in copied() for source in sources)
    assert rules == ["*", *(f"!{source}" for source in sent)]


def test_it_is_made_of_the_pins_and_of_no_value_of_its_own():
    arguments = rests("ARG")
    assert sorted(arguments) == sorted(pin.argument for pin in pins.PINS)  # each, once, without a default
    text = (PLACE / "Dockerfile").read_text()
    assert not re.search(r"[0-9a-f]{40}", text)
    assert not re.search(r"\b\d+\.\d+\.\d+\b", text.replace("24.04", ""))
    assert all(f"${{{pin.argument}" in text for pin in pins.PINS)


def test_the_base_is_named_by_digest_and_a_bare_build_ends_with_what_to_do():
    (base,) = rests("FROM")
    assert base == f"{pins.IMAGE}@${{BASE_DIGEST:?is_empty:_run_make_pins,_then_make_image}}"
    first = rests("RUN")[0].replace("dpkg --print-architecture", "echo amd64")
    given = {pin.argument: "x" for pin in pins.PINS if pin.section != "base"}
    for empty in given:
        env = {**given, empty: ""}
        done = subprocess.run(["bash", "-euc", first], env=env, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert f"{empty}: is empty: run make pins, then make image" in done.stderr
    assert subprocess.run(["bash", "-euc", first], env=given, check=False).returncode == 0


def test_what_is_downloaded_is_checked_before_it_is_unpacked():
    (download,) = [rest for rest in rests("RUN") if "curl " in rest and "apt-get" not in rest]
    assert "--proto '=https'" in download
    order = [download.index(word) for word in ("curl ", "sha256sum --check --strict", "tar --extract")]
    assert order == sorted(order)
    assert '"${RUNNER_SHA256}  ${archive}"' in download
    assert download.count("&&") == 5  # nothing goes on after a failure


def test_jobs_run_as_a_user_who_is_not_root_and_may_use_docker_and_sudo():
    (users,) = [rest for rest in rests("RUN") if "useradd" in rest]
    assert "useradd --uid 1001 --create-home --shell /bin/bash --groups docker runner" in users
    assert "'runner ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/runner" in users
    assert rests("USER") == []  # the entrypoint mounts; the agent drops to runner for the listener
    assert boot.Agent({}, boot.World(lambda: 0, lambda: 0, bytes), boot.Pace())._user == "runner"


def test_every_place_that_goes_to_the_disk_is_there_and_the_runners_own():
    (users,) = [rest for rest in rests("RUN") if "useradd" in rest]
    made = users.partition("install --directory --owner runner --group runner --mode 0755")[2]
    for place in entry.PLACES:
        assert place.target in {"/tmp", "/home/runner"} or f" {place.target} " in f"{made} "  # noqa: S108


def test_it_starts_with_the_entrypoint_as_root_in_isolation():
    assert entrypoint() == ["/usr/bin/python3", "-I", "-S", "/opt/fly-gha/entry.py"]
    assert instructions()[-1][0] == "ENTRYPOINT"


def test_its_environment_has_no_secret_and_reaches_the_job():
    env = environment()
    assert env["AGENT_TOOLSDIRECTORY"] == env["RUNNER_TOOL_CACHE"] == "/opt/hostedtoolcache"
    seen = boot.clean_environment(env, "runner", "/home/runner", root=False)
    assert env.items() <= seen.items()


def test_the_agent_waits_for_docker_for_less_than_a_listener_may_take():
    settings = boot.read_settings({"FLY_GHA_URL": "https://x", **environment()})
    assert 0 < settings.docker.wait <= 30


def test_docker_is_configured_for_a_network_inside_a_machine():
    daemon = json.loads((PLACE / "daemon.json").read_text())
    assert daemon["mtu"] == 1400  # of Docker's own bridge
    options = daemon["default-network-opts"]["bridge"]
    assert options == {"com.docker.network.driver.mtu": "1400"}  # of networks for jobs and services
    assert daemon["dns"] == ["1.1.1.1", "8.8.8.8"]  # containers cannot reach Fly's at fdaa::3
    (pool,) = daemon["default-address-pools"]
    network = ipaddress.ip_network(pool["base"])
    assert not network.overlaps(ipaddress.ip_network("172.16.0.0/12"))  # where a Machine's own address is
    assert pool["size"] == 24
    assert daemon["ip6tables"] is True
    # What entry.py gives as an option must not be here, too: dockerd refuses both.
    given = {word.removeprefix("--") for word in entry.docker_call("x", "y") if word.startswith("--")}
    assert not given & set(daemon)


def test_what_the_build_checks_of_itself_is_what_the_entrypoint_needs():
    (check,) = [rest for rest in rests("RUN") if "dockerd --validate" in rest]
    for what in (
        'Runner.Listener --version)" = "$RUNNER_VERSION"',
        "--config-file /etc/docker/daemon.json",
        "docker buildx version",
        "docker compose version",
        f'[ "$code" = {boot.BROKEN} ]',
    ):
        assert what in check


def test_the_readme_names_every_file_of_the_image_and_every_pin():
    readme = (PLACE / "README.md").read_text()
    for name in (*PROGRAMS, "daemon.json", *(pin.name for pin in pins.PINS)):
        assert f"`{name}`" in readme


def test_no_setting_of_the_agent_needs_what_is_not_in_the_base():
    """Ubuntu 24.04 has Python 3.12; the programs use what 3.11 has, and nothing but the standard library."""
    for name in PROGRAMS:
        compile((PLACE / name).read_text(), name, "exec", dont_inherit=True)
        imported = re.findall(r"^\s*(?:import|from) (\w+)", (PLACE / name).read_text(), re.MULTILINE)
        assert set(imported) <= set(sys.stdlib_module_names)


def test_a_monthly_build_is_ready_to_be_copied_into_a_repository(tmp_path):
    text = (PLACE / "rebuild.yml").read_text()
    workflow = yaml.safe_load(text)
    schema = json.loads((ROOT / "tests/data/specs/github-workflow-schema.json").read_text())
    workflow["on"] = workflow.pop(True)  # as YAML 1.1 reads that key
    assert [error.message for error in Draft7Validator(schema).iter_errors(workflow)] == []
    ours = set(re.findall(r"uses: (\S+@[0-9a-f]{40})", (ROOT / ".github/workflows/ci.yml").read_text()))
    assert set(re.findall(r"uses: (\S+)", text)) <= ours
    targets = re.findall(r"^(\w+): .*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"\bmake (\w+)", text)) <= set(targets)
    for step in workflow["jobs"]["build"]["steps"]:
        script = step.get("run", "")
        assert "${{" not in script  # nobody's text becomes part of a script
        call = [HADOLINT.with_name("shellcheck"), "--shell", "bash", "-"]
        done = subprocess.run(call, input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
