"""The text of a first fleet.toml: short, in plain words, with what is still missing as comments."""

import json
from collections.abc import Iterator, Mapping

from machines.classes import load_classes
from runners.cli.init.choices import APP, FLY_OIDC, INFISICAL, LEASE, PUBLISHED, Choices
from runners.cli.init.rules import HOST
from runners.model.settings import FleetSettings, PoolSettings

SECRETS_FILE = "dispatcher.secrets"
PUBLISHER_SECRETS_FILE = "publisher.secrets"
DATABASE = "fleet.db"
IMAGE, APP_ID = "fly.image", "github.app_id"

_LATER: Mapping[str, tuple[str, str]] = {
    IMAGE: ("image", "registry.fly.io/APP@sha256:DIGEST"),
    APP_ID: ("app_id", "APP_ID"),
}


def missing(choices: Choices) -> tuple[str, ...]:
    """The settings that nobody could give yet; until they are there the doctor refuses the file."""
    found = () if choices.image else (IMAGE,)
    signs = choices.credentials in (PUBLISHED, APP)
    return (*found, APP_ID) if signs and not choices.app_id else found


def fleet_toml(choices: Choices) -> str:
    """The whole file."""
    parts = [_head(choices), _fleet(choices), _github(choices), _fly(choices)]
    if choices.secrets == INFISICAL:
        parts.append(_infisical(choices))
    parts += [_pool(choices, name) for name in choices.classes]
    return "\n".join("\n".join(lines) + "\n" for lines in parts)


def _head(choices: Choices) -> Iterator[str]:
    yield f"# The fleet {choices.name}, written by `fly-gha init`. docs/settings.md lists every setting; the"
    yield "# environment overrides each as FLY_GHA_<SECTION>__<KEY>. `fly-gha doctor` checks what is here."


def _fleet(choices: Choices) -> Iterator[str]:
    yield "[fleet]"
    yield _set("name", choices.name)
    yield "# GitHub and Machines reach the dispatcher here."
    yield _set("public_url", choices.public_url)
    if choices.dispatcher == HOST:
        yield "# Behind a proxy that speaks TLS."
        yield _set("host", _default("host"))
        yield _set("port", _default("port"))
    else:
        yield "# Host and port are the image's; the database is on the volume, where the image starts."
    yield _set("database_url", f"sqlite:///{DATABASE}")
    yield "# Most Machines of all pools together, and most dollars a day (UTC): no launch goes past either."
    yield _set("max_machines", choices.max_machines * len(choices.classes))
    yield _set("daily_budget_usd", choices.daily_budget_usd)
    yield _set("secrets", choices.secrets)
    if choices.dispatcher != HOST:
        return
    what = "What opens Infisical" if choices.secrets == INFISICAL else "All credentials"
    yield f"# {what}, as NAME=value lines; only its owner may read it (mode 0600)."
    yield _set("secrets_file", SECRETS_FILE)


def _github(choices: Choices) -> Iterator[str]:
    yield "[github]"
    yield _set("credentials", choices.credentials)
    if choices.app_id:
        yield _set("app_id", choices.app_id)
    elif APP_ID in missing(choices):
        yield from _later(APP_ID, "the id of the GitHub App that PERMISSIONS.md describes")
    if choices.organization_wide:
        yield _set("organizations", [choices.owner])


def _fly(choices: Choices) -> Iterator[str]:
    yield "[fly]"
    yield _set("org_slug", choices.fly_org)
    if choices.image:
        yield _set("image", choices.image)
    else:
        yield from _later(IMAGE, "the runner image by its digest, once it is built and pushed")


def _infisical(choices: Choices) -> Iterator[str]:
    yield "[infisical]"
    if choices.infisical_url:
        yield _set("api_url", choices.infisical_url)
    yield _set("project_id", choices.infisical_project)
    yield _set("environment", choices.infisical_environment)
    yield _set("path", choices.infisical_path)
    yield _set("auth", choices.infisical_auth)
    if choices.infisical_auth == FLY_OIDC:
        yield "# Of the dispatcher alone: what the publisher's fleet.toml names is another identity."
        yield _set("identity_id", choices.infisical_identity)
    if choices.credentials == LEASE:
        yield _set("project_slug", choices.infisical_project_slug)


def _pool(choices: Choices, name: str) -> Iterator[str]:
    yield "[[pools]]"
    yield f"# runs-on: fly-{name}. Its size is in machines/{name}.toml: {load_classes()[name].description}."
    yield _set("name", name)
    yield _set("scope", choices.scope)
    if choices.organization_wide:
        yield "# Which repositories may use these runners is decided by this group, at GitHub."
        yield _set("runner_group", choices.runner_group)
    if choices.registration != PoolSettings.model_fields["registration"].default:
        yield "# Quicker in bursts and weaker than jit: see docs/security.md."
    yield _set("registration", choices.registration)
    yield _set("apps", list(choices.apps))
    yield "# In order of preference."
    yield _set("regions", list(choices.regions))
    yield _set("max_machines", choices.max_machines)
    yield "# Spares that wait for a job: stopped ones cost their disk, ready ones the full price."
    yield _set("stopped", choices.stopped)
    yield _set("ready", choices.ready)


def _later(key: str, what: str) -> Iterator[str]:
    name, example = _LATER[key]
    yield f"# Still missing: {what}."
    yield f"# {_set(name, example)}"


def _default(key: str) -> object:
    return FleetSettings.model_fields[key].default


def _set(key: str, value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    # What JSON writes of text, numbers and lists of them is TOML, too.
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"
