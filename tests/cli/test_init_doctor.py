"""What fly-gha init writes and fly-gha doctor says of it: nothing wrong, once what is missing is there."""

import json

from cli_world import ask

from runners.cli.demo.place import PROJECT

DIGEST = f"registry.fly.io/acme-runners-a@sha256:{'d' * 64}"


def written(folder, world, *more):
    """A fleet.toml for the simulated organizations, and the environment in which it is theirs."""
    told = ("--name", "demo", "--org", "acme", "--fly-org", "acme", "--infisical-project", PROJECT)
    where = (
        "--public-url",
        world.place.url,
        "--apps",
        "acme-runners-a,acme-runners-b",
        "--regions",
        "iad,ewr",
    )
    done = ask("init", str(folder), *told, *where, "--class", "small,medium", *more)
    assert done.exit_code == 0, done.stderr
    ports = json.loads(world.place.world.read_text())["ports"]
    fly, github, infisical = (f"http://127.0.0.1:{ports[name]}" for name in ("fly", "github", "infisical"))
    return {
        "FLY_API_HOSTNAME": fly,
        "FLY_GHA_FLY__OIDC_ISSUER": f"{fly}/oidc/acme",
        "GITHUB_API_URL": github,
        "INFISICAL_API_URL": infisical,
        "FLY_GHA_FLEET__PORT": world.place.url.rpartition(":")[2],
        "FLY_GHA_FLEET__DATABASE_URL": f"sqlite:///{world.place.folder / 'fleet.db'}",
        "FLY_GHA_FLEET__SECRETS_FILE": str(world.place.dispatcher_secrets),
    }


def test_the_doctor_finds_nothing_wrong_with_a_fleet_that_init_wrote(world, tmp_path):
    env = written(tmp_path, world, "--image", DIGEST, "--app-id", "4242")
    done = ask("doctor", "--config", str(tmp_path / "fleet.toml"), "--json", env=env)
    failed = [each for each in json.loads(done.stdout)["findings"] if each["verdict"] == "failed"]
    assert not failed
    assert done.exit_code == 0


def test_the_doctor_refuses_a_fleet_without_its_image_as_init_said(world, tmp_path):
    env = written(tmp_path, world, "--app-id", "4242")
    done = ask("doctor", "--config", str(tmp_path / "fleet.toml"), "--json", env=env)
    assert done.exit_code == 1
    (finding,) = json.loads(done.stdout)["findings"]
    assert "fly.image: found nothing" in finding["detail"]
