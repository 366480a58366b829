"""What to do after init, in order; commands stand in a line of their own so that they can be copied."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runners.cli.init.canary import WORKFLOW
from runners.cli.init.choices import INFISICAL, PUBLISHED, Choices
from runners.cli.init.fleet_toml import APP_ID, IMAGE, PUBLISHER_SECRETS_FILE, SECRETS_FILE, missing
from runners.cli.init.rules import HOST


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        says: one sentence.
        commands: to be typed as they are, none where a web page does it.
    """

    says: str
    commands: tuple[str, ...] = ()


def next_steps(choices: Choices, directory: Path, workflow: Path) -> tuple[Step, ...]:
    """The way from the written files to the first green canary.

    Args:
        choices: the fleet.
        directory: where fleet.toml is; what reads it is run there.
        workflow: where the canary is.
    """
    return (
        *_outside(choices),
        *_secrets(choices, directory),
        *_deploy(choices),
        *_publisher(choices),
        Step("Ask whether anything is wrong; each line that failed has its next step.", ("fly-gha doctor",)),
        *_dispatcher(choices),
        _canary(choices, workflow),
    )


def _outside(choices: Choices) -> Iterator[Step]:
    lacks = missing(choices)
    where = " and write its id into github.app_id" if APP_ID in lacks else ""
    yield Step(f"Make the GitHub App as PERMISSIONS.md says, install it on {choices.scope}{where}.")
    if choices.organization_wide:
        yield Step(
            f"Let the runner group {choices.runner_group} hold the private repositories that may use these "
            "runners, and no public ones: docs/security.md."
        )
    yield Step(
        "Make the Fly apps; a network cannot be changed later.",
        tuple(f"fly apps create {app} --org {choices.fly_org} --network {app}" for app in choices.apps),
    )
    if IMAGE in lacks:
        yield Step(
            "Build the runner image (machines/runner/README.md) and write it with its digest into fly.image. "
            "Until then `fly-gha doctor` says no, and nothing can be booted.",
            ("make pins", f'make image ARGS="--app {choices.apps[0]}"'),
        )
    yield Step("Make the Fly token.", (_fly_token(choices),))


def _fly_token(choices: Choices) -> str:
    if len(choices.apps) == 1:
        return f"fly tokens create deploy --app {choices.apps[0]}"
    return f"fly tokens create org --org {choices.fly_org}"


def _secrets(choices: Choices, directory: Path) -> Iterator[Step]:
    files = (SECRETS_FILE, PUBLISHER_SECRETS_FILE) if choices.credentials == PUBLISHED else (SECRETS_FILE,)
    if choices.secrets == INFISICAL:
        yield Step(
            f"Put the secrets that PERMISSIONS.md names into folder {choices.infisical_path} of "
            f"{choices.infisical_environment} in Infisical, and make the identities there."
        )
    if choices.dispatcher != HOST:
        return
    there = () if directory.resolve() == Path.cwd() else (f"cd {shlex.quote(str(directory))}",)
    yield Step(
        "Write the secrets that PERMISSIONS.md names for each process into its file, as NAME=value lines.",
        (*there, *(f"install -m 600 /dev/null {name}" for name in files)),
    )


def _deploy(choices: Choices) -> Iterator[Step]:
    """At Fly each process is an app of its own, whose secrets Fly keeps."""
    if choices.dispatcher != HOST:
        what = "dispatcher and publisher" if choices.credentials == PUBLISHED else "the dispatcher"
        yield Step(
            f"Deploy {what} as docs/deploy.md says; the secrets that PERMISSIONS.md names for a process are "
            "those of its Fly app. The commands below are then run there, by `fly ssh console`."
        )


def _publisher(choices: Choices) -> Iterator[Step]:
    """Before the doctor, who would miss the tokens."""
    if choices.dispatcher == HOST and choices.credentials == PUBLISHED:
        publish = f"FLY_GHA_FLEET__SECRETS_FILE={PUBLISHER_SECRETS_FILE} fly-gha tokens publish"
        yield Step("Keep GitHub's tokens fresh: the one process that holds the App's key.", (publish,))


def _dispatcher(choices: Choices) -> Iterator[Step]:
    if choices.dispatcher != HOST:
        return
    yield Step(
        "Watch what the dispatcher would do, then let it.",
        ("fly-gha serve --observe", "fly-gha serve"),
    )


def _canary(choices: Choices, workflow: Path) -> Step:
    if workflow.parent.name == "workflows":
        where = f"Commit and push {Path('.github/workflows') / WORKFLOW}"
    else:
        where = (
            f"Copy {WORKFLOW} into .github/workflows/ of a private repository of {choices.owner} and push it"
        )
    return Step(
        f"{where}; then run it: it says what holds on your Machines and what does not.",
        (f"gh workflow run {WORKFLOW}",),
    )
