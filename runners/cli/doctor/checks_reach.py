"""Pure checks of ``fleet.public_url``: name, TLS, who answers, and what is known of the outside."""

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from runners.cli.doctor.checks_ground import unread
from runners.cli.doctor.facts import Facts, Unread
from runners.cli.doctor.finding import Finding, failed, ok, unknown

_READY = 200
_TAKEN = range(200, 300)


def reach(facts: Facts) -> Iterator[Finding]:
    """Everything about our own URL."""
    yield _name(facts)
    yield _tls(facts)
    yield _answers(facts)
    yield _outside(facts)


def _simulated(facts: Facts) -> bool:
    """Whether Fly itself is on this host, as with the simulators: then its Machines are, too."""
    return _is_private(urlsplit(facts.settings.fly.api_hostname).hostname or "")


def _name(facts: Facts) -> Finding:
    about, found = "our URL: name", facts.addresses
    host = urlsplit(facts.settings.fleet.public_url).hostname or ""
    if isinstance(found, Unread):
        return unread(about, found)
    inside = [address for address in found if _is_private(address)]
    if inside and not _simulated(facts):
        return failed(
            about,
            f"{host} is {', '.join(inside)}, which Machines at Fly and GitHub cannot reach",
            "set fleet.public_url to an address on the internet",
        )
    where = "on this host, like the simulated Fly" if inside else ", ".join(found)
    return ok(about, f"{host} is {where}")


def _tls(facts: Facts) -> Finding:
    about = "our URL: TLS"
    if urlsplit(facts.settings.fleet.public_url).scheme != "https":
        if _simulated(facts):
            return ok(about, "none, and none is needed on one host")
        return failed(
            about, "it is http: claims and registrations would pass unencrypted", "use an https URL"
        )
    found = facts.public
    if isinstance(found, Unread):
        if found.why.startswith("TLS"):
            return failed(about, found.why, found.next_step or "mend the certificate")
        return unknown(about, found.why)
    return ok(about, "the certificate is valid")


def _answers(facts: Facts) -> Finding:
    about, found, local = "our URL: answer", facts.public, facts.local
    if isinstance(found, Unread):
        return failed(about, found.why, found.next_step or "start it with fly-gha serve")
    if not found.fleet:
        return failed(
            about,
            f"something else than this dispatcher answers there (status {found.status})",
            "lead fleet.public_url to the dispatcher",
        )
    name = facts.settings.fleet.name
    if found.fleet != name:
        return failed(about, f"the fleet {found.fleet} answers there, not {name}", "correct fleet.public_url")
    if found.status != _READY:
        lacks = ", ".join(found.lacks) or "it does not say what"
        return failed(about, f"the dispatcher answers and is not ready: {lacks}", "see the lines about it")
    if isinstance(local, Unread) or not local.instance:
        return ok(about, f"a ready dispatcher of fleet {name}; whether it is ours cannot be told from here")
    if local.instance != found.instance:
        return unknown(
            about,
            f"a ready dispatcher of fleet {name}, but another process than the one here",
            "with several dispatchers on one database that is right; else end the other one",
        )
    return ok(about, "our own dispatcher, ready")


def _outside(facts: Facts) -> Finding:
    """GitHub is outside: what it delivered is the one proof that does not come from here."""
    about, found = "our URL: from outside", facts.deliveries
    if not isinstance(found, Unread) and found.last_at is not None and found.last_status in _TAKEN:
        return ok(about, "GitHub's last delivery arrived")
    return unknown(
        about,
        "the lines above asked from this host; what a firewall does to others does not show here",
        "ask from elsewhere: curl " + facts.settings.fleet.public_url.rstrip("/") + "/readyz",
    )


def _is_private(text: str) -> bool:
    if text == "localhost":
        return True
    try:
        return not ip_address(text).is_global
    except ValueError:
        return False
