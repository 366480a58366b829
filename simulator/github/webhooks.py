"""Webhooks on their way out.

As GitHub documents it: GitHub tries once, waits ten seconds for a 2xx, never tries again by
itself, and lets an App list and redeliver what it sent in the past three days; a redelivery keeps the
GUID. The events of one job leave in their order unless a fault says otherwise.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulator.agenda import Agenda
from simulator.clock import Clock
from simulator.draws import Draws
from simulator.faults import Faults
from simulator.github.deliveries import Delivery, DeliveryLog
from simulator.journal import Journal

# Simulated, in real seconds, divided by scale.
SEND_DELAY = (0.2, 3.0)
REDELIVERY_DELAY = (0.1, 1.0)


class Webhooks:
    """The outbox; `log` remembers what left it.

    Args:
        clock, draws, agenda, journal, faults: the world's.
        scale: divides every latency above.
        app_id: names the hook's target in the headers.
        hook_id: the hook's id in the headers.
        url, secret: where to and signed with what; both may change at run time.
    """

    def __init__(
        self,
        clock: Clock,
        draws: Draws,
        agenda: Agenda,
        journal: Journal,
        faults: Faults,
        scale: float,
        *,
        app_id: int,
        hook_id: int,
        url: str,
        secret: str,
    ) -> None:
        self._clock = clock
        self._draws = draws
        self._agenda = agenda
        self._journal = journal
        self._faults = faults
        self._scale = scale
        self._app_id = app_id
        self._hook_id = hook_id
        self.url = url
        self.secret = secret
        self._outbox: list[Delivery] = []
        self._sending: set[str] = set()
        self.log = DeliveryLog(clock)
        self._last_id = draws.of("first delivery").randrange(10**11, 10**12)
        self._chain_due: dict[str, float] = {}
        self.on_change: Callable[[], None] = lambda: None

    def emit(
        self,
        event: str,
        action: str,
        payload: Mapping[str, Any],
        *,
        installation_id: int,
        repository_id: int,
        chain: str,
        facts: Mapping[str, Any],
    ) -> None:
        """Plan the delivery of one event, as the armed faults will have it.

        Faults (all matched on `facts`): `drop_webhook` (no trace in the log either), `lose_webhook` (logged
        as failed, never arrives), `delay_webhook` (params.seconds later, overtaken by what follows),
        `double_webhook` (the same GUID twice).
        """
        raw = json.dumps(payload, separators=(",", ":")).encode()
        draw = self._draws.of("webhook", *facts.values())
        due = self._clock.now() + draw.uniform(*SEND_DELAY) / self._scale
        due = self._chain_due[chain] = max(due, self._chain_due.get(chain, 0.0))
        first = Delivery(
            self._next_id(),
            str(uuid.UUID(int=draw.getrandbits(128), version=4)),
            event,
            action,
            installation_id,
            repository_id,
            raw,
            chain,
            facts,
            due,
        )
        if self._faults.fire("drop_webhook", **facts):
            self._journal.record("webhook_lost", guid=first.guid, event=event, logged=False, **facts)
            return
        if self._faults.fire("lose_webhook", **facts):
            self._journal.record("webhook_lost", guid=first.guid, event=event, logged=True, **facts)
            self._agenda.after(due - self._clock.now(), lambda: self._log_lost(first))
            return
        if (fault := self._faults.fire("delay_webhook", **facts)) is not None:
            first.due += float(fault.params.get("seconds", 1.0))
            first.chain = ""
        self._send_later(first)
        if self._faults.fire("double_webhook", **facts):
            second = self._again(first, due=first.due, redelivery=False)
            self._send_later(second)

    def take_due(self) -> Sequence[Delivery]:
        """Hand out what is to be sent now: of each chain only the first, and only when none is on its way."""
        now, taken = self._clock.now(), []
        for delivery in sorted(self._outbox, key=lambda item: (item.due, item.id)):
            if delivery.due > now or delivery.chain in self._sending:
                continue
            self._outbox.remove(delivery)
            if delivery.chain:
                self._sending.add(delivery.chain)
            delivery.delivered_at = now
            taken.append(delivery)
        return taken

    def headers_for(self, delivery: Delivery) -> dict[str, str]:
        """The headers of a delivery, signed with the secret of this moment."""
        key = self.secret.encode()
        return {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/044aadd",
            "X-GitHub-Delivery": delivery.guid,
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Hook-ID": str(self._hook_id),
            "X-GitHub-Hook-Installation-Target-ID": str(self._app_id),
            "X-GitHub-Hook-Installation-Target-Type": "integration",
            "X-Hub-Signature": "sha1=" + hmac.new(key, delivery.payload, hashlib.sha1).hexdigest(),
            "X-Hub-Signature-256": "sha256=" + hmac.new(key, delivery.payload, hashlib.sha256).hexdigest(),
        }

    def sent(self, delivery: Delivery) -> None:
        """Log an attempt that was made; its result fields are set."""
        self._sending.discard(delivery.chain)
        self.log.add(delivery)
        self._journal.record(
            "webhook_sent",
            delivery_id=delivery.id,
            guid=delivery.guid,
            event=delivery.event,
            status=delivery.status_code,
            redelivery=delivery.redelivery,
            **delivery.facts,
        )
        self.on_change()

    def redeliver(self, delivery_id: int) -> None:
        """Send a logged delivery again: same GUID, same bytes, a new id.

        Raises:
            GitHubProblem: 404 unknown, or older than the log goes back.
        """
        delay = self._draws.of("redelivery", delivery_id).uniform(*REDELIVERY_DELAY) / self._scale
        again = self._again(self.log.get(delivery_id), due=self._clock.now() + delay, redelivery=True)
        self._send_later(again)

    def waiting(self) -> int:
        """How many deliveries are not sent yet."""
        return len(self._outbox) + len(self._sending)

    def _again(self, delivery: Delivery, *, due: float, redelivery: bool) -> Delivery:
        return Delivery(
            self._next_id(),
            delivery.guid,
            delivery.event,
            delivery.action,
            delivery.installation_id,
            delivery.repository_id,
            delivery.payload,
            "",
            delivery.facts,
            due,
            redelivery=redelivery,
        )

    def _send_later(self, delivery: Delivery) -> None:
        self._outbox.append(delivery)
        self._agenda.after(delivery.due - self._clock.now(), self.on_change)

    def _log_lost(self, delivery: Delivery) -> None:
        """A lost delivery looks like a receiver that could not be reached."""
        delivery.delivered_at = self._clock.now()
        delivery.status, delivery.status_code = "failed to connect to host", 0
        delivery.request_headers = self.headers_for(delivery)
        self.log.add(delivery)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id
