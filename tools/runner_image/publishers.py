"""Who publishes what the runner image is made of, and how it is read there: by GitHub's API, and by Docker.

Nothing is believed that does not have its form. No registry is named here: the Docker CLI knows where an
image is, and the base image knows its package archive.
"""

import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from runner_image.pins import IMAGE, PACKAGES, PINS

GITHUB_API_VERSION = "2022-11-28"
TIMEOUT_S = 30.0
DOCKER_TIMEOUT_S = 600.0
OK = 200

Docker = Callable[[Sequence[str]], str]


class CannotRead(Exception):
    """A publisher did not tell; the text says what was asked, what came, and what to do next."""


def runner_release(client: httpx.Client, api_url: str) -> dict[str, str]:
    """Version and checksum of the newest actions/runner, as GitHub's API has them.

    The asset's ``digest`` is what GitHub computed at upload; where the release's notes name a checksum, too,
    the two have to agree.

    Raises:
        CannotRead: no answer, or one without a version or a digest.
    """
    url = f"{api_url}/repos/actions/runner/releases/latest"
    try:
        answer = client.get(url, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        raise CannotRead(
            f"GET {url}: {type(error).__name__}. Run make pins where GitHub can be reached."
        ) from error
    if answer.status_code != OK:
        advice = "GitHub limits callers without a token: set GITHUB_TOKEN, or try again in an hour."
        raise CannotRead(f"GET {url} answered {answer.status_code}. {advice}")
    try:
        release = answer.json()
    except ValueError:
        raise CannotRead(f"GET {url} answered no JSON. Is GITHUB_API_URL right?") from None
    version = _formed("runner.version", str(_get(release, "tag_name")).removeprefix("v"), url)
    name = f"actions-runner-linux-x64-{version}.tar.gz"
    assets = [asset for asset in _get(release, "assets") or [] if _get(asset, "name") == name]
    if not assets:
        raise CannotRead(f"GET {url} has no asset {name}. It may still be uploading: try again later.")
    sha256 = str(_get(assets[0], "digest")).removeprefix("sha256:")
    noted = re.search(r"BEGIN SHA linux-x64 -->\s*([0-9a-f]{64})\s*<!-- END SHA", str(_get(release, "body")))
    if noted and noted[1] != sha256:
        raise CannotRead(
            f"GET {url}: GitHub computed {sha256[:80]} for {name}, its notes say {noted[1]}. "
            "Do not build: ask actions/runner which is right."
        )
    return {"runner.version": version, "runner.sha256": _formed("runner.sha256", sha256, url)}


def base_digest(docker: Docker) -> dict[str, str]:
    """The digest that the registry shows for the base image's tag.

    Raises:
        CannotRead: the Docker CLI failed, or told something else, or the image is not for amd64.
    """
    call = ["buildx", "imagetools", "inspect", IMAGE, "--format", "{{json .Manifest}}"]
    try:
        manifest = json.loads(docker(call))
    except ValueError:
        raise CannotRead(f"docker {' '.join(call)} told no JSON. Update the buildx plugin.") from None
    platforms = [_get(each, "platform") for each in _get(manifest, "manifests") or []]
    if platforms and not any(_get(each, "architecture") == "amd64" for each in platforms):
        raise CannotRead(f"{IMAGE} is not there for amd64, which Fly Machines are.")
    return {"base.digest": _formed("base.digest", str(_get(manifest, "digest")), f"docker {' '.join(call)}")}


def docker_packages(docker: Docker, digest: str) -> dict[str, str]:
    """The versions that apt would install in the base image of that digest.

    Raises:
        CannotRead: the Docker CLI failed, or apt has no such package there.
    """
    policy = f"apt-get update -qq >&2 && apt-cache policy {' '.join(PACKAGES.values())}"
    call = [
        "run",
        "--rm",
        "--platform",
        "linux/amd64",
        "--env",
        "LC_ALL=C",
        f"{IMAGE}@{digest}",
        "sh",
        "-c",
        policy,
    ]
    text = docker(call)
    found = {}
    for key, package in PACKAGES.items():
        told = re.search(rf"^{re.escape(package)}:\n  Installed: .*\n  Candidate: (\S+)$", text, re.MULTILINE)
        version = told[1] if told else ""
        found[f"docker.{key}"] = _formed(f"docker.{key}", version, f"apt-cache policy {package} in {IMAGE}")
    return found


def run_docker(call: Sequence[str]) -> str:
    """Run the Docker CLI; what it printed.

    Raises:
        CannotRead: there is none, it failed, or took longer than ten minutes.
    """
    shown = f"docker {' '.join(call[:4])} …"
    try:
        done = subprocess.run(  # noqa: S603 - the calls of this file
            ["docker", *call],  # noqa: S607 - whichever Docker the operator uses
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DOCKER_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        advice = "Install Docker, or run make pins where it is, as on a hosted runner of GitHub."
        raise CannotRead(f"{shown}: there is no docker command here. {advice}") from None
    except subprocess.TimeoutExpired:
        raise CannotRead(f"{shown} took longer than {DOCKER_TIMEOUT_S:.0f} s. Is the network slow?") from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1][:300]
        raise CannotRead(
            f"{shown} failed: {last}. Does `docker version` show a server, and is there internet?"
        )
    return done.stdout


def _formed(name: str, value: str, source: str) -> str:
    (form,) = (pin.form for pin in PINS if pin.name == name)
    if not re.fullmatch(form, value):
        raise CannotRead(f"{source}: {name} cannot be read from {value[:80]!r}. Nothing was written.")
    return value


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None
