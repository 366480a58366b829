"""What every request passes before it is looked at: the token, the app, and the rate limit."""

from simulator.clock import Clock
from simulator.fly import refusals
from simulator.fly.buckets import Buckets
from simulator.fly.chronicle import Chronicle


class Gate:
    """Lets requests in.

    Args:
        clock: refills the buckets.
        scale: see `Buckets`.
        apps: names of the apps that exist.
        api_token: the accepted token, with or without "FlyV1 " or "Bearer " in front.
        chronicle: every refusal is written down.
    """

    def __init__(
        self, *, clock: Clock, scale: float, apps: tuple[str, ...], api_token: str, chronicle: Chronicle
    ) -> None:
        self._apps = apps
        self._token = _bare(api_token)
        self._buckets = Buckets(clock, scale)
        self._chronicle = chronicle

    def check_token(self, authorization: str) -> None:
        """Take our token in either of Fly's schemes.

        Raises:
            FlyRefusal: 401 for any other or none.
        """
        if not authorization or _bare(authorization) != self._token:
            raise self._chronicle.refused("authenticate", refusals.bad_token())

    def admit(self, action: str, app: str, *, name: str = "", machine_id: str = "") -> None:
        """Count a request against its bucket: its Machine's, or its app's when it names none.

        Raises:
            FlyRefusal: 404 for an unknown app, 429 for an empty bucket.
        """
        if app not in self._apps:
            refusal = refusals.no_such_app(app)
        elif not self._buckets.take(action, machine_id or app):
            refusal = refusals.rate_limited()
        else:
            return
        raise self._chronicle.refused(action, refusal, app=app, name=name, machine_id=machine_id)


def _bare(token: str) -> str:
    for scheme in ("Bearer ", "FlyV1 "):
        token = token.removeprefix(scheme)
    return token.strip()
