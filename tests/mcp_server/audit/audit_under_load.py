"""Appends to the audit log as fast as the disk allows, and says on standard output what was answered."""

import asyncio
import os
import sys
from pathlib import Path

from audit_world import an_entry

from mcp_server.audit.log import AuditLog
from runners.upstream.clock import SystemClock

CALLERS = 30


async def main(directory, round_):
    clock = SystemClock()
    log = AuditLog(directory, keep_days=30, file_max_bytes=64 * 1024, clock=clock)
    await log.open()

    async def caller(who):
        number = 0
        while True:
            call = f"{round_}.{who}.{number}"
            await log.append(an_entry(call, at=clock.now()))
            # Straight to the pipe: what was written there survives this process.
            os.write(1, f"call-{call}\n".encode())
            number += 1

    await asyncio.gather(*(caller(who) for who in range(CALLERS)))


asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
