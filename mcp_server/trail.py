"""Trail: what is known of a call on its way through the checkpoint, of which its audit record is made."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_server.audit.masking import masked_text
from mcp_server.audit.record import Entry
from mcp_server.call import Answer, Call
from mcp_server.caller import Caller
from mcp_server.rule import Rule
from mcp_server.tools.output import estimated_tokens
from mcp_server.view.glass import Glass

_VERSION_MAX = 32


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Trail:
    """One call's.

    Attributes:
        began: when it came, Unix seconds.
        started: the same by the event loop, on which deadlines run.
        caller: who asks; None as long as nobody knows.
        glass: what it sees the fleet through.
        bounded: it passed the rate limit, which bounds how many records such calls can make.
        stale: its answer says so.
        revision: the one served.
        arguments: masked.
    """

    began: float
    started: float = field(default_factory=_loop_time)
    caller: Caller | None = None
    glass: Glass | None = None
    bounded: bool = False
    stale: bool = False
    revision: int | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def entry(self, call: Call, answer: Answer, now: float) -> Entry:
        """What is recorded of ``call`` when ``answer`` is what goes back, at ``now``."""
        caller, refused, glass = self.caller, answer.refused, self.glass
        return Entry(
            at=self.began,
            call_id=call.id,
            operation=call.operation.value,
            target=masked_text(call.target),
            arguments=self.arguments,
            caller="" if caller is None else caller.id,
            caller_name="" if caller is None else caller.name,
            project="" if caller is None else caller.project,
            transport=call.transport,
            protocol=masked_text(call.protocol, _VERSION_MAX),
            allowed=refused is None or self.bounded,
            rule=(Rule.ALLOWED if refused is None else refused.rule).value,
            result="ok" if refused is None else refused.error_class.value,
            stale=self.stale,
            duration_ms=max(0.0, now - self.began) * 1000,
            bytes=answer.size,
            tokens=estimated_tokens(answer.text),
            revision=self.revision,
            upstream_ids=() if glass is None else tuple(glass.upstream_ids),
        )
