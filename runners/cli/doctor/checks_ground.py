"""Pure checks of what the dispatcher stands on: configuration, database, clock, credentials."""

from collections.abc import Iterator

from runners.cli.doctor.facts import SECRETS_PLACE, Credential, Facts, Unread
from runners.cli.doctor.finding import Finding, failed, ok, unknown
from runners.secrets.names import INSTALLATION_PREFIX, REGISTRATION_PREFIX

# What can be told from a Date header, and what tokens allow: GitHub refuses a JWT a minute in the future.
_SECOND = 1.5
_GITHUB_ALLOWS_S = 60.0


def ground(facts: Facts) -> Iterator[Finding]:
    """Configuration, database, clock, credentials."""
    yield _configuration(facts)
    yield _database(facts)
    yield from (_clock(facts, name, offset) for name, offset in facts.clock_offsets.items())
    yield secrets_place(facts)
    yield from (_credential(facts, each) for each in facts.credentials)


def unread(about: str, fact: Unread) -> Finding:
    """The line of a fact that could not be had."""
    if fact.refused:
        return failed(about, fact.why, fact.next_step or "mend what it names")
    return unknown(about, fact.why, fact.next_step)


def _configuration(facts: Facts) -> Finding:
    settings = facts.settings
    names = ", ".join(pool.name for pool in settings.pools)
    return ok("configuration", f"fleet {settings.fleet.name} with the pools {names}")


def _database(facts: Facts) -> Finding:
    about, found = "database", facts.database
    if isinstance(found, Unread):
        return unread(about, found)
    if not found.there:
        return ok(about, "it is not there yet; fly-gha serve makes it")
    if not found.writable:
        return failed(
            about,
            "it can be read, but not written to",
            "let this user write there: the file and its folder, or the schema",
        )
    if found.missing:
        revisions = ", ".join(found.missing)
        return ok(about, f"reachable and writable; fly-gha serve will migrate it ({revisions})")
    return ok(about, "reachable, migrated and writable")


def _clock(facts: Facts, name: str, offset: float | Unread) -> Finding:
    about = f"clock against {name}"
    if isinstance(offset, Unread):
        return unread(about, offset)
    allowed = facts.settings.timing.clock_leeway if name == "Fly" else _GITHUB_ALLOWS_S
    if abs(offset) <= _SECOND:
        return ok(about, "the same, as far as whole seconds tell")
    side = "behind" if offset > 0 else "ahead"
    detail = f"ours is {abs(offset):.0f} s {side}; up to {allowed:.0f} s is allowed"
    if abs(offset) <= allowed:
        return ok(about, detail)
    return failed(about, detail, "set this host's clock by NTP: tokens of Machines and of the App fail")


def secrets_place(facts: Facts) -> Finding:
    """Whether credentials can be read where they are kept."""
    if facts.secrets is None:
        return ok(SECRETS_PLACE, f"{facts.where} can be read")
    return unread(SECRETS_PLACE, facts.secrets)


def _credential(facts: Facts, found: Credential) -> Finding:
    published = found.name.startswith((INSTALLATION_PREFIX, REGISTRATION_PREFIX))
    if found.wrong and published:
        return failed(
            found.name,
            found.wrong,
            "see whether fly-gha tokens publish runs, for this fleet, and what it logs",
        )
    if found.wrong:
        return failed(found.name, found.wrong, f"put the right value into {found.name}, in {facts.where}")
    if found.held:
        note = f"; {found.note}" if found.note else ""
        return ok(found.name, f"there, and of the right form{note}")
    if facts.secrets is not None:
        return unknown(found.name, f"{facts.where} could not be read")
    step = "start fly-gha tokens publish" if published else f"put {found.name} into {facts.where}"
    return failed(found.name, "it is not there", step)
