"""What holds for the image and the Fly app of each of our services: what is in it, and who runs it."""

import json
import re

import pytest

from mcp_server.credentials import found
from tests.machines.fly_toml import KEYS, unknown
from tests.machines.images import PLACES, ROOT, plain_names, tree

pytestmark = pytest.mark.xdist_group("images")
EACH = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
WORDS = {"ARG", "FROM", "COPY", "RUN", "ENV", "EXPOSE", "WORKDIR", "ENTRYPOINT", "CMD"}


def texts(value):
    """Every text in a document, with its key."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from ((f"{key}.{name}".rstrip("."), text) for name, text in texts(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    else:
        yield "", str(value)


@EACH
def test_what_is_copied_exists_and_nothing_else_is_even_sent_to_the_builder(place):
    sources = [source for sources, _ in place.copied for source in sources]
    assert {word for word, _ in place.instructions} <= WORDS
    assert all(list(ROOT.glob(source)) for source in sources)
    rules = place.ignored
    assert (rules[0], rules[-1]) == ("*", "**/__pycache__")
    assert sorted(rules[1:-1]) == sorted(f"!{source}" for source in sources)
    assert place.fly["build"] == {"dockerfile": "Dockerfile", "ignorefile": "Dockerfile.dockerignore"}


@EACH
def test_no_file_of_the_image_could_hold_a_secret_or_a_database(place):
    kinds = {path.suffix for path in place.files().values()}
    assert kinds <= {".py", ".toml", ".html", ".css", ".js", ".svg", ".yml"}
    named = {name.rpartition("/")[2] for name in place.files()}
    assert not {"fleet.toml", "fly.toml", "settings.env"} & named


@EACH
def test_the_base_image_is_a_digest_that_whoever_builds_has_to_name(place):
    bases = place.rests("FROM")
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.11-\S+@\$\{PYTHON_DIGEST\}( AS \w+)?", base) for base in bases)
    assert place.rests("ARG") == ["PYTHON_DIGEST"]
    assert not any(re.search(r"sha256:[0-9a-f]{64}", file.read_text()) for file in place.folder.iterdir())


@EACH
def test_the_libraries_are_wheels_of_the_lock_with_their_hashes(place):
    assert place.copied[0] == ([place.lock], f"/{place.lock}")
    (install,) = [rest for rest in place.rests("RUN") if "install --no-cache" in rest]
    for option in ("--require-hashes", "--no-deps", "--only-binary :all:"):
        assert option in install
    assert install.count("--requirement") == 1
    assert install.endswith(f"--requirement /{place.lock}")
    locked = re.split(r"\n(?=\S)", place.requirements.read_text().strip())
    assert all("--hash=sha256:" in each for each in locked)


@EACH
def test_every_command_of_the_image_goes_through_enter(place):
    """It has to begin as root; tests/machines/test_enter.py shows that it does not stay root."""
    assert "USER" not in [word for word, _ in place.instructions]
    assert json.loads(place.rests("ENTRYPOINT")[0]) == [f"/venv/bin/{place.command}"]
    assert re.search(
        r"exec /venv/bin/python -I -u /app/\S*enter\.py /data [\w.]+:app \"\$@\"\\n' > /venv/bin/fly-gha",
        place.last_step,
    )
    (user,) = [rest for rest in place.rests("RUN") if "useradd" in rest]
    assert "useradd --uid 10001 --user-group" in user
    enter = (ROOT / "machines/enter.py").read_text()
    assert "USER_ID = 10001" in enter
    assert place.rests("WORKDIR") == ["/data"]


@EACH
def test_fly_toml_has_only_keys_that_flyctl_reads(place):
    assert unknown(place.fly) == []
    assert unknown({"app": "a", "mount": {}, "http_service": {"port": 1}, "vm": {}}, KEYS) == [
        "mount", "http_service.port", "vm",
    ]  # fmt: skip


@EACH
def test_neither_image_nor_app_has_a_credential(place):
    own = {name: value for name, value in place.environment.items() if value != "null"}
    for document in (own, dict(texts(place.fly))):
        assert found(document) == ()
        assert not {name for name in document if name.upper().endswith(("_TOKEN", "_KEY", "_SECRET"))}
    # Fly keeps names that begin with FLY_ for itself there, and every setting of ours begins so.
    assert "env" not in place.fly
    assert "args" not in place.fly["build"]


@EACH
def test_it_is_told_to_end_by_the_signal_it_understands_and_started_again_when_it_ends(place):
    fly = place.fly
    assert fly["kill_signal"] == "SIGTERM"
    assert 5 < float(fly["kill_timeout"].removesuffix("s")) <= 300
    assert fly["restart"] == [{"policy": "always"}]
    assert fly["deploy"] == {"strategy": "rolling"}


@EACH
def test_a_service_is_one_machine_that_is_always_there(place):
    service = place.fly.get("http_service")
    if service is not None:
        assert service["internal_port"] == int(place.rests("EXPOSE")[0])
        assert (service["auto_stop_machines"], service["min_machines_running"]) == ("off", 1)
        assert service["force_https"] is True
    assert "--ha=false" in (place.folder / "fly.toml").read_text()


@EACH
def test_the_files_that_fly_puts_into_the_machine_are_settings(place):
    for file in place.fly["files"]:
        assert file["guest_path"].startswith("/etc/fly-gha/")
        assert file["local_path"] in ("fleet.toml", f"machines/{place.name}/settings.env")


@EACH
def test_the_environment_has_what_the_lock_names_and_no_more(place, request):
    image = request.getfixturevalue(f"{place.name}_image")
    assert image.distributions() == {"fly-gha"} | plain_names(place.locked_here())


@EACH
def test_a_distribution_of_another_version_than_the_locks_is_noticed(place, tmp_path, monkeypatch):
    first = place.locked_here()[0]
    monkeypatch.setattr(type(place), "locked_here", lambda _: [type(first)(f"{first.name}==0.0.0")])
    with pytest.raises(AssertionError, match=first.name):
        tree(place, tmp_path / "tree")


def test_no_two_services_share_an_app_or_a_volume():
    apps = [place.fly["app"] for place in PLACES]
    volumes = [mount["source"] for place in PLACES for mount in place.fly.get("mounts", ())]
    assert len(set(apps)) == len(apps)
    assert len(set(volumes)) == len(volumes)
