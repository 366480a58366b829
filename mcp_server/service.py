"""Service: the composition root of fly-gha-status, constructible many times in one process.

What production, stdio and tests differ in is an argument; nothing here decides about a call.
"""

import asyncio
import base64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import httpx
from mcp.server import Server
from pydantic import SecretStr

from mcp_server.audit.files import Files
from mcp_server.audit.log import AuditLog
from mcp_server.caller import Identity
from mcp_server.catalog import Catalog
from mcp_server.checkpoint import Checkpoint, Desk
from mcp_server.health import Health, TokensSign, ViewSign
from mcp_server.own_token import TokenUnusable, too_strong
from mcp_server.prober import Prober
from mcp_server.protocol import Presented, build_server
from mcp_server.rate import Rates
from mcp_server.resources import TEMPLATES
from mcp_server.settings import StatusSettings
from mcp_server.stats.live import Stats
from mcp_server.tools.registry import TOOLS
from mcp_server.view.dispatcher import Dispatcher, production_transport
from mcp_server.view.skew import Skew
from mcp_server.view.views import Views
from runners.upstream.clock import Clock

PACKAGE = "fly-gha"
CALL_ID_BYTES = 10


@dataclass(frozen=True, slots=True)
class Parts:
    """What production, stdio and tests differ in.

    Attributes:
        identity: who callers are.
        token: gives the dispatcher's token.
        entropy: gives random bytes.
        audit_dir: where records go.
        tokens: how the token file is, at a time in Unix seconds; None where there is none.
        files: system calls of the audit log; None for the operating system's.
        inner: makes what really sends to the dispatcher.
    """

    identity: Identity
    token: Callable[[], SecretStr | None]
    entropy: Callable[[int], bytes]
    audit_dir: Path
    tokens: Callable[[float], TokensSign] | None = None
    files: Files | None = None
    inner: Callable[[], httpx.AsyncBaseTransport] = production_transport


class Service:
    """One fly-gha-status without its transport.

    Args:
        settings: the figures.
        clock: the one clock.
        parts: what differs.
    """

    def __init__(self, settings: StatusSettings, clock: Clock, parts: Parts) -> None:
        self.settings = settings
        self._entropy = parts.entropy
        self.stats = Stats(
            clock,
            tools=[tool.name for tool in TOOLS],
            resources=[template.uri_template for template in TEMPLATES],
        )
        self.audit = AuditLog(
            parts.audit_dir,
            keep_days=settings.audit_keep_days,
            file_max_bytes=settings.audit_file_max_bytes,
            clock=clock,
            files=parts.files,
            observer=self.stats,
        )
        self.dispatcher = Dispatcher(settings, parts.token, clock, Skew(), inner=parts.inner)
        self.views = Views(settings, self.dispatcher, clock, parts.entropy)
        self.catalog = Catalog(settings, TOOLS, TEMPLATES)
        rates = Rates(settings.calls_per_minute, settings.burst, settings.project_calls_per_minute)
        desk = Desk(parts.identity, rates, self.catalog, self.views.glass, self.stats, self.audit)
        self.checkpoint = Checkpoint(settings, desk, clock)
        self._prober = Prober(
            clock=clock,
            timeout_s=settings.health_timeout_s,
            readiness=self.dispatcher.readiness,
            audit=lambda: self.audit.healthy,
            view=lambda _now: self._view_sign(),
            breaker=lambda _now: self.dispatcher.breaker,
            own_token=lambda: too_strong(self.dispatcher),
            tokens=parts.tokens,
        )

    async def open(self) -> None:
        """See that the token is weak enough, open the audit log and begin to follow the fleet.

        Raises:
            TokenUnusable: the dispatcher's token may do more than read.
            AuditUnusable: nothing could be recorded, so nothing may be served.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.health_timeout_s):
                problem = await too_strong(self.dispatcher)
                if problem is not None:
                    raise TokenUnusable(f"{problem}: make one with `fly-gha token create --scope read`")
        await self.audit.open()
        await self.views.start()

    async def close(self) -> None:
        """Finish what was begun, records included."""
        await self.checkpoint.settle()
        await self.views.close()
        await self.dispatcher.close()
        await self.audit.close()

    async def health(self) -> Health:
        """How this server is."""
        return await self._prober.probe()

    def server(self, presented: Presented) -> Server[object]:
        """The MCP server whose requests bring with them what ``presented`` finds."""
        version = metadata.version(PACKAGE)
        schema = self.catalog.input_schema
        return build_server(self.checkpoint, presented, version=version, input_schema=schema)

    def new_id(self) -> str:
        """An id for a call."""
        return base64.b32encode(self._entropy(CALL_ID_BYTES)).decode().lower()

    def _view_sign(self) -> ViewSign:
        condition = self.views.condition
        return ViewSign(condition.age_s, condition.stale)
