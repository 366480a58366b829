"""Carries due webhooks to their receiver. Looks at the outbox whenever the world changes, never on a beat."""

import asyncio

import httpx

from simulator.clock import Clock
from simulator.github.deliveries import Delivery
from simulator.github.webhooks import Webhooks

RECEIVER_DEADLINE = 10.0
ANSWER_KEPT = 2_000


class Bell:
    """Wakes everybody who waits for the world to change."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake all who wait now."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def heard(self) -> None:
        """Return at the next ring."""
        await self._event.wait()

    async def heard_within(self, clock: Clock, seconds: float) -> None:
        """Return at the next ring, or when that many seconds have passed."""
        waits = {asyncio.ensure_future(self.heard()), asyncio.ensure_future(clock.sleep(seconds))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


class Courier:
    """Sends webhooks over HTTP.

    Args:
        webhooks: the outbox, and the log that learns of each attempt.
        clock: measures how long the receiver took.
        bell: rung by the model at every change.
        http: the client to post with.
    """

    def __init__(self, webhooks: Webhooks, clock: Clock, bell: Bell, http: httpx.AsyncClient) -> None:
        self._webhooks = webhooks
        self._clock = clock
        self._bell = bell
        self._http = http

    async def run(self) -> None:
        """Work until cancelled; deliveries of different jobs run side by side."""
        async with asyncio.TaskGroup() as group:
            while True:
                for delivery in self._webhooks.take_due():
                    group.create_task(self.deliver(delivery))
                await self._bell.heard()

    async def deliver(self, delivery: Delivery) -> None:
        """Make one attempt and log it, whatever comes of it."""
        began = self._clock.now()
        delivery.request_headers = self._webhooks.headers_for(delivery)
        try:
            async with asyncio.timeout(RECEIVER_DEADLINE):
                answer = await self._http.post(
                    self._webhooks.url, content=delivery.payload, headers=delivery.request_headers
                )
            delivery.status_code = answer.status_code
            delivery.status = "OK" if answer.is_success else f"Invalid HTTP Response: {answer.status_code}"
            delivery.response_headers = dict(answer.headers)
            delivery.response_payload = answer.text[:ANSWER_KEPT]
        except TimeoutError:
            delivery.status = "timed out"
        except (httpx.HTTPError, httpx.InvalidURL) as wrong:
            delivery.status = "failed to connect to host"
            delivery.response_payload = type(wrong).__name__
        delivery.duration = round(self._clock.now() - began, 3)
        self._webhooks.sent(delivery)
