"""Orders: what operators have said of pools and the fleet, by whom and in what words, from the event log."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from runners.api.port import FleetPort
from runners.api.reading import Reading
from runners.api.sight import Look
from runners.model.nouns import Event
from runners.store import events, tokens
from runners.wire.text import shown
from runners.wire.times import Time, rfc3339

FLEET = "fleet"
# How operate words an event: the change, then these and the operator's own words.
_SAID = "; said: "
WORDS_MAX = 200


@dataclass(frozen=True, slots=True)
class Order:
    """One thing that was ordered.

    Attributes:
        by: who: a token's id with its name where the viewer may know it, or ``fleet.toml``.
        words: why, in the operator's words (other people's text); "" when none were given.
        at: when; None for what fleet.toml says.
    """

    by: str
    words: str = ""
    at: Time | None = None


def orders(conn: Connection, look: Look, port: FleetPort, reading: Reading) -> Mapping[str, Order]:
    """By pool (``drained``) and FLEET (``paused``), whose word it is; only what holds now is looked up."""
    found: dict[str, Order] = {}
    for pool in look.sight.pools_of(port.settings):
        override = reading.overrides.get(pool.name)
        said = None if override is None else override.drained
        if said or (said is None and pool.drained):
            found[pool.name] = _order(conn, look, f"pool/{pool.name}", "drained", overridden=bool(said))
    paused = reading.paused
    if paused or (paused is None and port.settings.fleet.paused):
        found[FLEET] = _order(conn, look, FLEET, "paused", overridden=bool(paused))
    return found


def _order(conn: Connection, look: Look, target: str, verb: str, *, overridden: bool) -> Order:
    if not overridden:
        return Order("fleet.toml")
    told = events.page(conn, target=target, verb=verb, newest_first=True, limit=1)
    if not told or not look.target(target):
        return Order("an operator")
    return Order(_who(conn, look, told[0]), _words(told[0]), rfc3339(told[0].at))


def _who(conn: Connection, look: Look, event: Event) -> str:
    kind, _, token_id = event.actor.partition(":")
    if kind != "token" or not look.sight.everything:
        return event.actor
    token = tokens.get(conn, token_id)
    return event.actor if token is None else shown(f"{token.name} ({event.actor})")


def _words(event: Event) -> str:
    _, said, words = event.detail.partition(_SAID)
    return shown(words, WORDS_MAX) if said else ""
