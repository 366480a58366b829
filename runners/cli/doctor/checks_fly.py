"""Pure checks of Fly: the token, the apps and their networks, the regions, the image."""

from collections.abc import Iterator

from machines.survey import SHARED_NETWORK
from runners.cli.doctor.checks_ground import unread
from runners.cli.doctor.facts import Facts, Unread
from runners.cli.doctor.finding import Finding, failed, ok, unknown

HOUR = 3_600.0


def fly(facts: Facts) -> Iterator[Finding]:
    """Everything of Fly's."""
    yield _token(facts)
    for app in facts.fly_apps:
        yield app_there(facts, app)
        yield _rights(facts, app)
        yield _network(facts, app)
    yield regions(facts)
    yield _image(facts)


def _token(facts: Facts) -> Finding:
    about, found = "Fly token", facts.fly_tokens
    if isinstance(found, Unread):
        return unread(about, found)
    if not found:
        return unknown(about, "Fly says nothing about it")
    slug = facts.settings.fly.org_slug
    if any(each.machine_bound for each in found):
        return failed(about, "only one Machine may use it", "make a deploy token: fly tokens create deploy")
    if any(each.personal for each in found):
        return failed(
            about,
            "it is a person's own and may do all that the person may",
            "make one for the runner apps alone: fly tokens create deploy -a APP",
        )
    if slug not in {each.organization for each in found}:
        return failed(
            about, f"it is not for the organization {slug}", "correct fly.org_slug, or make a token there"
        )
    if any(not each.apps for each in found):
        return ok(about, f"for the whole organization {slug}; one for the runner apps alone would do")
    missing = sorted(set(facts.fly_apps) - {app for each in found for app in each.apps})
    if missing:
        return failed(
            about, f"it does not cover {', '.join(missing)}", "make one that covers every app that pools name"
        )
    return ok(about, f"for apps of the organization {slug}, every app of the pools among them")


def app_there(facts: Facts, app: str) -> Finding:
    """Whether an app of the pools is there, and the organization's."""
    about, found = f"Fly app {app}", facts.fly_apps[app]
    if isinstance(found, Unread):
        step = (
            f"fly apps create {app} -o {facts.settings.fly.org_slug} --network {app}, or correct pools.apps"
        )
        if found.missing:
            return failed(about, f"Fly knows no app {app}, or hides it from this token", step)
        return unread(about, found)
    slug = facts.settings.fly.org_slug
    if found.organization and found.organization != slug:
        return failed(about, f"it belongs to {found.organization}, not to {slug}", "correct fly.org_slug")
    return ok(about, "it is there")


def _rights(facts: Facts, app: str) -> Finding:
    about, found = f"Machines of {app}", facts.fly_images[app]
    if isinstance(found, Unread):
        return unread(about, found)
    made = {} if isinstance(facts.database, Unread) else facts.database.created_at
    if app in made:
        hours = (facts.now - made[app]) / HOUR
        return ok(about, f"the token may list them, and Fly made one {hours:.1f} h ago")
    return unknown(
        about,
        "the token may list them; whether it may create some Fly does not say before one is created",
        "a launch that Fly refuses says so: fly-gha events --reason launch_refused",
    )


def _network(facts: Facts, app: str) -> Finding:
    about, found = f"network of {app}", facts.fly_apps[app]
    if isinstance(found, Unread):
        return unknown(about, "the app could not be read")
    if not found.network:
        return unknown(
            about, "Fly did not say which it is in", "fly apps create --network gives one of its own"
        )
    if found.network == SHARED_NETWORK:
        return failed(
            about,
            "it is in the organization's default network, where job code reaches every other app",
            f"replace {app} by an app with a network of its own: fly apps create NAME --network NAME",
        )
    return ok(about, f"{found.network}, not the organization's default")


def regions(facts: Facts) -> Finding:
    """Whether Fly knows every region of the pools."""
    about, found = "regions", facts.fly_regions
    if isinstance(found, Unread):
        # Whether a token for some apps alone may list regions Fly does not say, and nothing rests on it.
        return unknown(about, found.why, found.next_step)
    wanted = {region for pool in facts.settings.pools for region in pool.regions}
    strange = sorted(wanted - found)
    if strange:
        return failed(
            about,
            f"Fly has no region {', '.join(strange)}",
            f"correct pools.regions: choose from {', '.join(sorted(found))}",
        )
    return ok(about, f"Fly knows {', '.join(sorted(wanted))}")


def _image(facts: Facts) -> Finding:
    image = facts.settings.fly.image
    digest = image.partition("@")[2]
    seen: set[str] = set()
    for found in facts.fly_images.values():
        seen |= set() if isinstance(found, Unread) else found
    ran = frozenset[str]() if isinstance(facts.database, Unread) else facts.database.images
    if image in ran or digest in seen:
        return ok("image at Fly", "a Machine of the runner apps has run it")
    return unknown(
        "image at Fly",
        "no Machine that Fly still lists has run it, and its API says nothing of images themselves",
        "the first launch tells: fly-gha events --reason launch_refused",
    )
