"""Every way FlySim says no, with the status and the words that others recorded.

Where no recording exists the docstring says "our words".
"""


class FlyRefusal(Exception):
    """An answer other than 200.

    Attributes:
        status: HTTP status.
        error: text of the `error` field.
        code: value of the `status` field; None leaves it out.
    """

    def __init__(self, status: int, error: str, code: str | None = None) -> None:
        super().__init__(f"{status} {error}")
        self.status = status
        self.error = error
        self.code = code

    def as_json(self) -> dict[str, str]:
        """The body of the answer."""
        body = {"error": self.error}
        return body if self.code is None else {**body, "status": self.code}


def bad_token() -> FlyRefusal:
    """The token is not one of ours."""
    return FlyRefusal(401, "Authenticate: token validation error")


def no_such_app(app: str) -> FlyRefusal:
    """The organization has no such app (our words)."""
    return FlyRefusal(404, f"app not found: {app}")


def no_such_machine() -> FlyRefusal:
    """The id never existed in this app (our words)."""
    return FlyRefusal(404, "machine not found")


def no_such_volume() -> FlyRefusal:
    """The app has no such volume, or has it no more (our words)."""
    return FlyRefusal(404, "volume not found")


def volume_attached(machine_id: str) -> FlyRefusal:
    """A volume that a Machine has is not deleted (status and text are ours)."""
    return FlyRefusal(412, f"failed_precondition: volume is attached to machine {machine_id}")


def volume_host_full(volume_id: str) -> FlyRefusal:
    """The host of a volume has no room for the Machine that would mount it."""
    return FlyRefusal(
        412,
        f"insufficient resources to create new machine with existing volume id '{volume_id}'",
        "volume_placement_capacity",
    )


def rate_limited() -> FlyRefusal:
    """The bucket of this action and identifier is empty; Fly documents no Retry-After."""
    return FlyRefusal(429, "rate limit exceeded")


def name_taken(name: str, machine_id: str) -> FlyRefusal:
    """A live Machine of this app has the name; the text carries its id."""
    return FlyRefusal(
        409,
        f"already_exists: unique machine name violation, machine ID {machine_id} already exists "
        f'with name "{name}"',
    )


def region_full() -> FlyRefusal:
    """No host of the region has room."""
    return FlyRefusal(422, "could not find a candidate host", "insufficient_capacity")


def host_full() -> FlyRefusal:
    """The host of a stopped Machine has no room to start it again."""
    return FlyRefusal(
        409,
        "aborted: could not reserve resource for machine: insufficient memory available to fulfill request "
        "on the current host",
    )


def machine_limit() -> FlyRefusal:
    """The organization may have no more Machines; stopped ones count."""
    return FlyRefusal(422, "Your organization has reached its machine limit. Please contact billing@fly.io")


def invalid(text: str) -> FlyRefusal:
    """The request cannot be understood or asks for what no host offers."""
    return FlyRefusal(400, f"invalid_argument: {text}")


def bad_cpu_kind() -> FlyRefusal:
    """The guest names a kind of CPU that does not exist."""
    return FlyRefusal(422, "unsupported guest cpu kind")


def still_active() -> FlyRefusal:
    """The Machine stops or has stopped just now; its teardown is not over."""
    return FlyRefusal(412, "failed_precondition: machine still active, refusing to start")


def still_starting() -> FlyRefusal:
    """The Machine is being started already."""
    return FlyRefusal(412, "failed_precondition: machine still attempting to start")


def cannot_start_from(state: str) -> FlyRefusal:
    """The Machine is in a state from which nothing starts."""
    return FlyRefusal(412, f"failed_precondition: unable to start machine from current state: '{state}'")


def must_stop_first() -> FlyRefusal:
    """A running Machine is destroyed only by force (Fly's own text is not known: our words)."""
    return FlyRefusal(412, "failed_precondition: unable to destroy machine, not currently stopped")


def host_silent() -> FlyRefusal:
    """The host does not answer; Fly's scheduler gives up waiting."""
    return FlyRefusal(408, "deadline_exceeded: host is unreachable")


def wait_timed_out(wanted: str, state: str) -> FlyRefusal:
    """The Machine did not reach the state in time."""
    return FlyRefusal(
        408, f"deadline_exceeded: machine failed to reach desired state, {wanted}, currently {state}"
    )


def broken() -> FlyRefusal:
    """Fly itself failed (our words)."""
    return FlyRefusal(503, "internal: service unavailable", "unknown")


def no_oidc() -> FlyRefusal:
    """The Machine's token service does not work (our words)."""
    return FlyRefusal(500, "internal: could not issue token", "unknown")


def no_answer_in_time() -> FlyRefusal:
    """Fly's scheduler did not answer in time: whether it acted is not said."""
    return FlyRefusal(408, "deadline_exceeded: request timed out")
