"""``fly-gha tokens publish``: the one process that holds the GitHub App key.

It keeps an installation token per owner, and a registration token per scope that registers by token, fresh in
Infisical. The dispatcher reads those and never sees the key. It is safe to kill and to start again: every
pass reads what is there first.
"""

import asyncio
import json
import os
import secrets
import signal
import socket
from typing import Annotated

import structlog
import typer

from runners.cli.configuration import DEFAULT_CONFIG, ConfigOption, settings_or_exit
from runners.cli.dispatcher import JsonOption
from runners.cli.logs import configure_logs
from runners.cli.outcome import Exit, fail
from runners.cli.probe import build_probe, listening_at, served
from runners.connections import Connections, connect
from runners.github.app_tokens import AppPublishing
from runners.secrets.ageing import late_below
from runners.secrets.infisical import InfisicalSecrets
from runners.secrets.interface import CredentialMissing, SourceRefused
from runners.secrets.publisher import NamesCollide, PublishResult, publish_once
from runners.secrets.publisher_health import PublisherHealth
from runners.upstream.clock import Clock, SystemClock
from runners.upstream.errors import UpstreamError

log = structlog.get_logger()
app = typer.Typer(no_args_is_help=True, help="GitHub's ephemeral tokens.")


@app.callback()
def tokens() -> None:
    """GitHub's ephemeral tokens."""


@app.command()
def publish(
    config: ConfigOption = DEFAULT_CONFIG,
    once: Annotated[bool, typer.Option("--once", help="One pass; exit 1 when a token is not fresh.")] = False,
    listen: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT", help="Answer /healthz and /readyz there; 503 while a token is stale."
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Keep the tokens fresh until stopped."""
    settings = settings_or_exit(config)
    if settings.fleet.secrets != "infisical":
        fail(
            Exit.BAD_USE,
            f'{config}: fleet.secrets is "local", and there is nowhere to publish to; use "infisical".',
        )
    if not settings.github.app_id:
        fail(Exit.BAD_USE, f"{config}: github.app_id is not set; the publisher signs as the App.")
    listening = listening_at(listen) if listen else None
    configure_logs()
    clock = SystemClock()
    connections = connect(settings, clock, os.environ, as_app=True)
    try:
        result = asyncio.run(_run(connections, clock, listening, once=once))
    except NamesCollide as error:
        fail(Exit.BAD_USE, str(error))
    if as_json:
        typer.echo(json.dumps(_as_json(result)))
    if once and (result is None or result.failed):
        raise typer.Exit(Exit.NO)


async def _run(
    connections: Connections, clock: Clock, listening: socket.socket | None, *, once: bool
) -> PublishResult | None:
    """Pass after pass until told to stop; a failed one is logged and comes again with the period."""
    told = asyncio.Event()
    timing = connections.settings.timing
    health = PublisherHealth(
        connections.settings.fleet.name,
        secrets.token_hex(8),
        period=timing.credentials_period,
        late_below=late_below(timing),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    try:
        async with served(build_probe(health.readiness, clock), listening):
            while True:
                result = await _pass(connections, clock, health)
                if once:
                    return result
                try:
                    async with asyncio.timeout(_until_next(result, connections, clock)):
                        await told.wait()
                except TimeoutError:
                    continue
                return result
    finally:
        await connections.close()


async def _pass(connections: Connections, clock: Clock, health: PublisherHealth) -> PublishResult | None:
    settings, source = connections.settings, connections.source
    if not isinstance(source, InfisicalSecrets):
        raise TypeError("tokens are published to Infisical")
    try:
        await connections.keys.refresh()
        result = await publish_once(
            settings.pools,
            app=AppPublishing(connections.minter, connections.github, connections.probe),
            secrets=source,
            clock=clock,
            margin=settings.timing.token_refresh_margin,
        )
    except (UpstreamError, CredentialMissing, SourceRefused) as error:
        log.error("tokens.not_published", error=str(error))  # noqa: TRY400 - the error says it all
        health.failed(error, clock.now())
        return None
    health.passed(result, clock.now())
    for token in result.failed:
        log.error("tokens.stale", name=token.name, why=token.why)
    for token in result.renewed:
        log.info("tokens.renewed", name=token.name, expires_at=token.expires_at)
    return result


def _until_next(result: PublishResult | None, connections: Connections, clock: Clock) -> float:
    """Seconds to the next pass: at least once a credentials period, so that a lost secret is put back."""
    period = connections.settings.timing.credentials_period
    if result is None or result.failed:
        return period  # what GitHub or Infisical refused is not asked of them every second
    return min(period, max(1.0, result.renew_at - clock.now()))


def _as_json(result: PublishResult | None) -> dict[str, object]:
    if result is None:
        return {"ok": False, "tokens": []}
    tokens = [
        {"name": token.name, "outcome": str(token.outcome), "expires_at": token.expires_at, "why": token.why}
        for token in result.tokens
    ]
    return {"ok": not result.failed, "tokens": tokens}
