"""``fly-gha init``: writes a first fleet.toml, a canary workflow and PERMISSIONS.md, and says what next."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from runners.cli.dispatcher import JsonOption
from runners.cli.init.asking import ask, words
from runners.cli.init.canary import canary, canary_path
from runners.cli.init.choices import Choices, choose
from runners.cli.init.files import NewFile, in_the_way, is_there, write
from runners.cli.init.fleet_toml import IMAGE, fleet_toml, missing
from runners.cli.init.next_steps import next_steps
from runners.cli.init.permissions import permissions_page, rights
from runners.cli.init.report import Report, tell
from runners.cli.outcome import Exit, fail
from runners.fleet_file import FleetFileInvalid, check_settings, load_settings
from runners.model.settings import Settings

FLEET, PERMISSIONS = "fleet.toml", "PERMISSIONS.md"
_STAND_INS: dict[str, str] = {IMAGE: f"registry.fly.io/app@sha256:{'0' * 64}"}


def init(
    directory: Annotated[Path, typer.Argument(help="Where the files go; made if it is not there.")] = Path(),
    org: Annotated[str, typer.Option("--org", help="GitHub organization that the runners serve.")] = "",
    repository: Annotated[
        str, typer.Option("--repository", help="OWNER/NAME: serve this one repository instead.")
    ] = "",
    fly_org: Annotated[str, typer.Option("--fly-org", help="Slug of the Fly organization.")] = "",
    public_url: Annotated[
        str, typer.Option("--public-url", help="https address of the dispatcher, for GitHub and Machines.")
    ] = "",
    name: Annotated[
        str, typer.Option("--name", "--fleet", help="The fleet's name; made of --org when not given.")
    ] = "",
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            help="small, medium (default), large, xlarge or a class of your own in machines/: a pool each.",
        ),
    ] = None,
    apps: Annotated[
        list[str] | None, typer.Option("--apps", help="Fly apps for the runners; NAME-runners-a by default.")
    ] = None,
    regions: Annotated[
        list[str] | None, typer.Option("--regions", help="Fly regions, the preferred first; iad by default.")
    ] = None,
    credentials: Annotated[
        str, typer.Option("--credentials", help="Access to GitHub: published (default), lease or app.")
    ] = "",
    registration: Annotated[
        str, typer.Option("--registration", help="How Machines register: jit (default), token or auto.")
    ] = "",
    runner_group: Annotated[
        str, typer.Option("--runner-group", help="Runner group of the organization; Default by default.")
    ] = "",
    secrets: Annotated[
        str,
        typer.Option("--secrets", help="infisical (default) or local, which only --credentials app allows."),
    ] = "",
    infisical_project: Annotated[
        str, typer.Option("--infisical-project", help="Id of the Infisical project.")
    ] = "",
    infisical_project_slug: Annotated[
        str, typer.Option("--infisical-project-slug", help="Its slug; --credentials lease needs it.")
    ] = "",
    infisical_auth: Annotated[
        str, typer.Option("--infisical-auth", help="How to log in: universal (default) or fly-oidc.")
    ] = "",
    infisical_identity: Annotated[
        str,
        typer.Option("--infisical-identity", help="Id of the dispatcher's identity; fly-oidc needs it."),
    ] = "",
    infisical_environment: Annotated[
        str, typer.Option("--infisical-environment", help="Its environment; prod by default.")
    ] = "",
    infisical_path: Annotated[
        str, typer.Option("--infisical-path", help="The folder there; / by default.")
    ] = "",
    infisical_url: Annotated[
        str, typer.Option("--infisical-url", help="Infisical's address; its US cloud by default.")
    ] = "",
    app_id: Annotated[str, typer.Option("--app-id", help="The GitHub App's id; may come later.")] = "",
    image: Annotated[str, typer.Option("--image", help="The runner image by digest; may come later.")] = "",
    dispatcher: Annotated[
        str,
        typer.Option("--dispatcher", help="Where it runs: host (default, a host of yours) or fly."),
    ] = "",
    max_machines: Annotated[
        int | None, typer.Option("--max-machines", min=1, max=10_000, help="Cap of each pool; 10 by default.")
    ] = None,
    daily_budget: Annotated[
        float | None, typer.Option("--daily-budget", min=0, help="Dollars a day of the fleet; 25 by default.")
    ] = None,
    stopped: Annotated[
        int | None,
        typer.Option("--stopped", min=0, max=1000, help="Stopped spares of each pool; none by default."),
    ] = None,
    ready: Annotated[
        int | None,
        typer.Option("--ready", min=0, max=1000, help="Ready spares of each pool; none by default."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are there; a copy of each is kept.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a first fleet.toml, a canary workflow and the list of permissions.

    At a terminal it asks for what is missing. It never overwrites: --force replaces, and keeps what was there
    as NAME.old. A list may be given with commas between or by repeating its option.
    """
    given: dict[str, Any] = {
        "org": org,
        "repository": repository,
        "fly_org": fly_org,
        "public_url": public_url,
        "name": name,
        "classes": _list(classes),
        "apps": _list(apps),
        "regions": _list(regions),
        "credentials": credentials,
        "registration": registration,
        "runner_group": runner_group,
        "secrets": secrets,
        "infisical_project": infisical_project,
        "infisical_project_slug": infisical_project_slug,
        "infisical_auth": infisical_auth,
        "infisical_identity": infisical_identity,
        "infisical_environment": infisical_environment,
        "infisical_path": infisical_path,
        "infisical_url": infisical_url,
        "app_id": app_id,
        "image": image,
        "dispatcher": dispatcher,
        "max_machines": max_machines,
        "daily_budget_usd": daily_budget,
        "stopped": stopped,
        "ready": ready,
    }
    if sys.stdin.isatty():
        given = _asked(given)
    choices = _chosen(given)
    files = _files(directory, choices)
    if not force and (there := in_the_way(files)):
        lines = "".join(f"  {path}\n" for path in there)
        fail(
            Exit.BAD_USE,
            f"Nothing was written, because this is there already:\n{lines}Add --force to replace it.",
        )
    unchanged = frozenset(file.path for file in files if is_there(file))
    kept = _written(files)
    found = rights(choices)
    report = Report(
        directory=directory,
        choices=choices,
        files=tuple((file.path, file.what) for file in files),
        unchanged=unchanged,
        kept=kept,
        missing=missing(choices),
        settings=_read_back(directory / FLEET, choices),
        rights=found,
        steps=next_steps(choices, directory, files[1].path),
    )
    if as_json:
        typer.echo(json.dumps(report.document(), indent=2))
    else:
        tell(report)


def _list(values: list[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for value in values or () for word in words(value)))


def _asked(given: dict[str, Any]) -> dict[str, Any]:
    try:
        return ask(given)
    except typer.Abort:
        fail(Exit.NO, "\nNothing was written.")


def _chosen(given: dict[str, Any]) -> Choices:
    """The choices, or the end of the verb with every option that is wrong."""
    choices = choose(given)
    if not isinstance(choices, Choices):
        fail(Exit.BAD_USE, "\n".join(("Nothing was written:", *(f"  {each}" for each in choices))))
    try:
        _checked(fleet_toml(choices), choices)
    except FleetFileInvalid as error:
        # What only the whole shows, such as pools that do not go together.
        fail(Exit.BAD_USE, "\n".join(("Nothing was written:", *(f"  {line}" for line in error.mistakes))))
    return choices


def _checked(text: str, choices: Choices) -> Settings:
    """The file's settings, with a stand-in for each that is still missing."""
    document = tomllib.loads(text)
    for key in missing(choices):
        section, _, name = key.partition(".")
        document[section][name] = _STAND_INS.get(key, "0")
    return check_settings(document, FLEET)


def _files(directory: Path, choices: Choices) -> tuple[NewFile, ...]:
    return (
        NewFile(directory / FLEET, fleet_toml(choices), "the fleet"),
        NewFile(canary_path(directory), canary(choices), "the canary workflow"),
        NewFile(
            directory / PERMISSIONS, permissions_page(choices, rights(choices)), "the list of permissions"
        ),
    )


def _written(files: tuple[NewFile, ...]) -> tuple[Path, ...]:
    kept = []
    for file in files:
        try:
            kept.append(write(file))
        except OSError as error:
            fail(
                Exit.UNREACHABLE,
                f"{file.path} could not be written: {error.strerror}. Mend that and run init again; a file "
                "that is already as it shall be stays.",
            )
    return tuple(path for path in kept if path is not None)


def _read_back(path: Path, choices: Choices) -> Settings:
    """What the written file says, read as the dispatcher reads it but for the environment."""
    if missing(choices):
        return _checked(path.read_text(encoding="utf-8"), choices)
    return load_settings(path, {})
