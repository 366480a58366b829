"""Health and Readiness: what a load balancer and an operator's probe ask."""

from runners.wire.answer import Answer
from runners.wire.times import Time


class Health(Answer):
    """The process answers."""

    status: str = "ok"
    as_of: Time


class Check(Answer):
    """One thing the dispatcher needs, whether it has it, and in plain words what is missing."""

    name: str
    ok: bool
    detail: str = ""


class Readiness(Answer):
    """Whether the dispatcher can do its work.

    Attributes:
        fleet: its name.
        instance: random, anew with each start: tells which process an address leads to.
        not_ready: names of the checks that failed; empty when ready.
    """

    ready: bool
    fleet: str = ""
    instance: str = ""
    as_of: Time
    not_ready: tuple[str, ...]
    checks: tuple[Check, ...]
