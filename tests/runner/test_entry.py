"""The image's entrypoint: the disk that the class promises or an end that says why, Docker, then the agent.

Where it acts it is run for real: real mounts in a namespace of their own, a stand-in engine, the real agent.
"""

import json
import re
import shutil
import socket
import tempfile
import threading
from pathlib import Path

import httpx
import pytest
import uvicorn
from boot_world import JIT_CLAIM
from image_world import EXT4, ROOT, ImageWorld, capable, let_go

from machines.runner import boot, entry
from simulator.clock import WallClock
from simulator.github.face import build_app
from simulator.github.model import GitHubSim

STAND_IN = ROOT / "simulator/runner"

MOUNTS = """overlay / overlay rw,lowerdir=/a 0 0
proc /proc proc rw 0 0
/dev/vdc /fly-gha-disk ext4 rw 0 0
tmpfs /fly-gha-disk/docker tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("text", "disk"),
    [("root", ("root", 0)), ("volume", ("volume", 0)), ("tmpfs:8192", ("tmpfs", 8192))],
)
def test_the_class_says_where_a_job_writes(text, disk):
    assert entry.read_disk(text) == disk


@pytest.mark.parametrize(
    "text", ["", "tmpfs", "tmpfs:0", "tmpfs:-1", "tmpfs:8g", "Volume", "volume:10", "ssd"]
)
def test_no_disk_is_guessed(text):
    with pytest.raises(entry.DiskFailed, match="none of tmpfs:SIZE_MB, volume and root"):
        entry.read_disk(text)


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/var/lib/docker", "overlay"), ("/fly-gha-disk", "ext4"), ("/fly-gha-disk/docker", "tmpfs"),
     ("/fly-gha-disk-2", "overlay")],
)  # fmt: skip
def test_a_file_system_is_known_by_the_nearest_mount(path, kind):
    assert entry.filesystem(MOUNTS, path) == kind


@pytest.mark.parametrize(
    ("path", "device"),
    [("/fly-gha-disk", "/dev/vdc"), ("/fly-gha-disk/docker", ""), ("/fly-gha-disk-2", None)],
)
def test_only_a_device_with_its_own_file_system_is_formatted(path, device):
    assert entry.device_at(MOUNTS, path) == device


def test_of_two_mounts_at_one_place_the_later_is_seen():
    assert entry.filesystem("a / ext4 rw 0 0\nb / tmpfs rw 0 0\n", "/x") == "tmpfs"


@pytest.mark.parametrize(
    ("below", "fuse", "driver"),
    [("tmpfs", False, "overlay2"), ("ext4", True, "overlay2"), ("overlay", True, "fuse-overlayfs"),
     ("overlay", False, "vfs"), ("", False, "overlay2")],
)  # fmt: skip
def test_docker_stacks_no_overlay_upon_an_overlay(below, fuse, driver):
    assert entry.storage_driver(below, fuse) == driver


def test_its_exit_code_is_one_of_the_agents_table():
    assert boot.EXITS[entry.DISK_FAILED] == "exit_disk_failed"


def test_it_is_one_short_program_of_the_standard_library():
    assert len(Path(entry.__file__).read_text().splitlines()) < 250


# ---- For real ----

WORK, TMP = (place.target for place in entry.PLACES if not place.over)

LOOK = """
def kind(path):
    found = [line.split(" ") for line in open("/proc/self/mounts")]
    return [each[2] for each in found if each[1] == path][-1:]
def look():
    root = "/home/runner/actions-runner/_work"
    written = {}
    for folder in (root, "/tmp", "/home/runner", "/opt/hostedtoolcache"):
        open(folder + "/made", "w").write("by the job")
        written[folder] = os.stat(folder).st_uid
    note("seen", {
        "mounts": {path: kind(path) for path in ("/fly-gha-disk", root, "/tmp", "/home/runner",
                                                 "/opt/hostedtoolcache")},
        "owners": written, "uid": os.getuid(), "groups": os.getgroups(), "env": dict(os.environ),
        "baked": [open(path).read() for path in ("/home/runner/.profile", "/opt/hostedtoolcache/baked")],
        "disk": sorted(os.listdir("/fly-gha-disk")),
        "on_disk": [os.path.exists(f"/fly-gha-disk/{path}/made") for path in ("work", "tmp")],
    })
online()
look()
job()
"""


@pytest.fixture
def image():
    able, said = capable()
    assert able, f"these tests mount, as root or by sudo: {said}"
    # Not below /tmp, over which the entrypoint mounts.
    image = ImageWorld(Path(tempfile.mkdtemp(prefix="image-", dir="/var/tmp")))
    image.dispatch((200, JIT_CLAIM))
    image.listener(LOOK)
    image.dockerd()
    yield image
    image.close()
    let_go(image.folder / "volume")
    shutil.rmtree(image.folder)


def test_a_job_writes_to_the_tmpfs_wherever_it_writes(image):
    ended = image.boot("tmpfs:64")

    assert ended.code == 0, ended.err
    seen = image.note("seen")
    assert seen["mounts"] == {
        "/fly-gha-disk": ["tmpfs"], WORK: ["tmpfs"], TMP: ["tmpfs"],
        "/home/runner": ["overlay"], "/opt/hostedtoolcache": ["overlay"],
    }  # fmt: skip
    assert seen["on_disk"] == [True, True]
    assert (seen["uid"], seen["groups"]) == (1001, [123, 1001])
    assert seen["owners"] == {WORK: 1001, TMP: 0, "/home/runner": 1001, "/opt/hostedtoolcache": 1001}
    assert seen["baked"] == ["from the image\n"] * 2  # what the image has stays readable
    assert json.loads((image.notes / "dockerd").read_text()) == [
        "--data-root", "/fly-gha-disk/docker", "--storage-driver", "overlay2", "--pidfile", "/run/docker.pid",
    ]  # fmt: skip


def test_what_was_done_and_how_long_it_took_is_in_the_log_in_the_agents_form(image):
    ended = image.boot("tmpfs:64")
    assert all(set(line) == {"at", "step", "detail"} for line in ended.steps)
    steps = [line["step"] for line in ended.steps]
    assert steps[:3] == ["disk", "docker", "boot"]
    assert ended.details("disk")[0].startswith("the job writes to a tmpfs of 64 MB, ready after 0.")
    assert ended.details("docker")[0] == "dockerd started on /fly-gha-disk/docker (tmpfs) with overlay2"
    assert ended.details("docker")[1].startswith("ready ")


def test_a_job_sees_what_the_image_promises_and_nothing_of_the_machine(image):
    image.boot("tmpfs:64")
    env = image.note("seen")["env"]
    assert env["RUNNER_TOOL_CACHE"] == env["AGENT_TOOLSDIRECTORY"] == "/opt/hostedtoolcache"
    assert (env["ImageOS"], env["USER"], env["HOME"]) == ("ubuntu24", "runner", "/home/runner")
    assert not [name for name in env if name.startswith("FLY_")]


OLD = """
cd "$1"
mkdir -p work/acme/web docker/overlay2/abc "odd
name" shut/inner
echo secret > work/acme/web/.env
echo secret > shut/inner/file; chmod 000 shut/inner shut
touch -- "-rf" ".hidden" "docker/overlay2/abc/link"
mkdir outside && ln -s ../home/runner outside/link && ln -s /home/runner/.profile profile
chmod 0700 .
"""


# What a job that was root may leave behind so that it stays.
STUBBORN = """
touch immutable append
chattr +i immutable work/acme
chattr +a append
"""


@pytest.mark.parametrize(
    ("volume", "kind", "extra"),
    [(OLD, "tmpfs", []), (EXT4 + OLD + STUBBORN, "ext4", ["lost+found"])],
    ids=["removed", "formatted"],
)
def test_a_volume_has_nothing_of_another_job_any_more(image, volume, kind, extra):
    image.volume = volume
    ended = image.boot("volume")
    assert ended.code == 0, ended.err
    seen = image.note("seen")
    assert seen["mounts"]["/fly-gha-disk"] == seen["mounts"][WORK] == [kind]
    assert seen["disk"] == ["home", *extra, "tmp", "toolcache", "work"]
    assert seen["baked"] == ["from the image\n"] * 2  # nothing was followed out of the volume
    assert ended.details("disk")[0].startswith("the job writes to the volume, ready after ")


def test_a_new_volume_is_used_as_it_is(image):
    image.volume = EXT4
    ended = image.boot("volume", IMAGE_PATH=f"{without_formatting(image)}:/opt/python/bin")
    assert ended.code == 0, ended.err
    assert image.note("seen")["mounts"]["/fly-gha-disk"] == ["ext4"]


def without_formatting(image):
    """A folder of what the entrypoint needs of the system when there is nothing to wipe."""
    for name in ("mount", "sh"):
        (image.folder / "bin" / name).symlink_to(shutil.which(name))
    return image.folder / "bin"


def test_a_volume_that_is_not_there_ends_the_machine_with_its_own_code(image):
    ended = image.boot("volume")
    assert ended.code == 30
    assert ended.details("exit") == [
        "30 exit_disk_failed: the class has a volume, and nothing is mounted at /fly-gha-disk"
    ]
    assert image.dispatcher.seen == []  # no job was asked for
    assert not (image.notes / "dockerd").exists()


@pytest.mark.parametrize("left", ["mkdir busy; mount -t tmpfs tmpfs busy; touch busy/file"])
def test_a_volume_that_cannot_be_wiped_runs_no_job(image, left):
    image.volume = f'cd "$1"; {left}'
    ended = image.boot("volume")
    assert ended.code == 30
    assert "what another job left on the volume cannot be removed: find:" in ended.details("exit")[0]
    assert image.dispatcher.seen == []


def test_a_volume_that_cannot_be_formatted_runs_no_job(image):
    again = 'umount "$1"; mount "$(losetup --read-only --find --show "$2/volume")" "$1"'
    image.volume = f'{EXT4} touch "$1/old"; {again}'
    ended = image.boot("volume")
    assert ended.code == 30
    (said,) = ended.details("exit")
    assert re.search(r"the volume /dev/loop\d+ cannot be formatted: .*not permitted", said)
    assert image.dispatcher.seen == []


def test_a_setting_that_cannot_be_read_runs_no_job_on_the_slow_disk(image):
    ended = image.boot("tmpfs:lots")
    assert ended.code == 30
    assert "'tmpfs:lots'" in ended.details("exit")[0]


def test_on_the_root_disk_nothing_is_mounted(image):
    ended = image.boot("root")
    assert ended.code == 0, ended.err
    assert set(map(tuple, image.note("seen")["mounts"].values())) == {()}
    assert ended.details("disk")[0].startswith("the job writes to the root disk, ready after 0.")
    assert json.loads((image.notes / "dockerd").read_text())[:2] == ["--data-root", "/var/lib/docker"]


def test_a_job_runs_without_an_engine_when_the_image_has_none(image):
    programs = without_formatting(image)
    (programs / "dockerd").unlink()
    ended = image.boot("tmpfs:64", IMAGE_PATH=f"{programs}:/opt/python/bin")
    assert ended.code == 0, ended.err
    assert ended.details("docker") == [
        "dockerd cannot be started, so no step can use Docker: No such file or directory"
    ]


def test_an_engine_that_dies_is_told_with_its_last_words_and_the_job_runs(image):
    image.dockerd("print('failed to start daemon: no iptables', flush=True); sys.exit(1)")
    ended = image.boot("tmpfs:64")
    assert ended.code == 0, ended.err
    assert image.note("hooks")["STARTED"][0] == 0
    assert ended.details("docker")[1] == "dockerd ended with code 1: no step can use Docker any more"
    assert "failed to start daemon: no iptables" in ended.out


def test_an_engine_that_does_not_answer_holds_a_job_up_for_so_long_only(image):
    image.dockerd("time.sleep(3)")
    ended = image.boot("tmpfs:64", RUNNER_WAIT_FOR_DOCKER_IN_SECONDS="0.4")
    assert ended.code == 0, ended.err
    assert ended.details("docker")[1] == "not ready 0.4 s after the claim: the job starts without"


def test_after_a_bad_end_the_end_of_dockers_log_is_shown_too(image):
    image.listener("online()\nsys.exit(1)\n")
    ended = image.boot("tmpfs:64")
    assert ended.code == 28
    assert "dockerd" in ended.details("diagnostics")
    assert "stand-in engine: hello" in ended.out
    (told,) = image.dispatcher.of("/v1/hooks/ended")
    assert "stand-in engine: hello" in told.body["lines"]


# ---- The whole of it, with the stand-in runner and a GitHub that gives it a job ----


@pytest.fixture
def github(image):
    """A served GitHub with one JIT registration, which the dispatcher of ``image`` hands out."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{held.getsockname()[1]}"
    sim = GitHubSim(WallClock(), 1, 60.0, base, 1, "unused", "http://127.0.0.1:9/", "secret", "acme", ["web"])
    minted = sim.registrations.mint_jit("orgs/acme", "r1", sim.directory.group(1), ["fly"], "_work")
    registration = {"kind": "jit", "jit_config": sim.sessions.jit_config(minted)}
    image.dispatcher.claims = [(200, {**JIT_CLAIM, "registration": registration})]
    shutil.rmtree(image.runner_dir)
    shutil.copytree(STAND_IN, image.runner_dir, ignore=shutil.ignore_patterns("__pycache__"))
    config = uvicorn.Config(build_app(sim), lifespan="on", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True)
    thread.start()
    image.until(lambda: server.started)
    job = {"name": "build", "labels": ["fly"]}
    job["steps"] = [{"name": "build", "seconds": 0.05}, {"name": "tidy", "always": True}]
    wish = {"repository": "acme/web", "jobs": [job]}
    (job_id,) = httpx.post(f"{base}/_sim/runs", json=wish, trust_env=False).json()["job_ids"]
    yield sim.queue.jobs[job_id]
    server.should_exit = True
    thread.join(5)
    held.close()


def ends(job):
    return {step.name: step.conclusion for step in job.steps if step.name in {"build", "tidy"}}


def test_from_the_entrypoint_to_a_green_job(image, github):
    ended = image.boot("tmpfs:64")
    assert ended.code == 0, ended.out + ended.err
    assert github.conclusion == "success"
    assert ends(github) == {"build": "success", "tidy": "success"}
    hooks = [path.rpartition("/")[2] for path in image.dispatcher.paths() if "/hooks/" in path]
    assert hooks == ["online", "started", "completed"]


def test_a_job_that_the_gate_refuses_runs_no_step_not_even_one_that_always_runs(image, github):
    (claim,) = image.dispatcher.claims
    image.dispatcher.claims = [(200, {**claim[1], "gate": {"repositories": ["acme/api"]}})]
    ended = image.boot("tmpfs:64")
    assert ended.code == 0, ended.out + ended.err
    assert github.conclusion == "failure"
    assert ends(github) == {"build": "skipped", "tidy": "failure"}  # begun by the runner, and could not be
    assert "acme/web is not among the repositories that the pool serves (repositories)" in ended.out
    (started,) = image.dispatcher.of("/v1/hooks/started")
    assert started.body["refused"] == "repository"
