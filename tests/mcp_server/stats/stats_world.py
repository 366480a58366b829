"""Records for the statistics, and what they should come to, counted the plain way."""

import math

from mcp_server.audit.record import GENESIS, chained, content
from mcp_server.stats.live import Stats
from tests.mcp_server.audit.audit_world import an_entry

NOON = 1_800_014_400.0  # 2027-01-15T12:00:00Z
HOUR, DAY = 3600.0, 86_400.0
TOOLS = ("queue_list", "job_explain", "capacity_check")
RESOURCES = ("fleet://jobs/{id}", "fleet://pools/{pool}")


class SetClock:
    def __init__(self, now=NOON):
        self.time = now

    def now(self):
        return self.time

    async def sleep(self, seconds):
        self.time += max(0.0, seconds)


def a_call(**other):
    return an_entry(**{"call_id": "call", "arguments": {"pool": "gha-medium"}, "upstream_ids": (), **other})


def refused(rule, result, **other):
    gate = result in ("rate_limited", "permission", "authentication")
    return a_call(**{"rule": rule, "result": result, "allowed": not gate, **other})


def a_stats(clock=None):
    return Stats(clock or SetClock(), tools=TOOLS, resources=RESOURCES)


def seen(stats, *entries):
    for entry in entries:
        stats.observe(chained(entry, content(entry), 1, GENESIS)[0])


def asked(stats, window=DAY, *, project="default", caller=None, tool=None):
    return stats.summary(window, project=project, caller=caller, tool=tool)


def nearest_rank(durations, share):
    ranked = sorted(durations)
    return ranked[max(1, math.ceil(share * len(ranked))) - 1]
