"""The simulators as the demo reaches them: control routes to act on them, journals to judge by."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx

from runners.cli.demo.script import FaultScript, RunScript

NAMES = ("fly", "github", "infisical")
TIMEOUT_S = 10.0


@dataclass
class Worlds:
    """The three simulators' control routes.

    Attributes:
        urls: base URLs by name.
        http: one client for all three.
    """

    urls: dict[str, str]
    http: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)
    )

    async def arm(self, fault: FaultScript) -> None:
        """Arm one fault."""
        body = {"kind": fault.kind, "times": fault.times, "match": fault.match, "params": fault.params}
        await self._post(fault.world, "/_sim/faults", body)

    async def queue(self, run: RunScript, scale: float) -> dict[str, int]:
        """Queue one workflow run; returns job ids by name."""
        body = {
            "repository": run.repository,
            "workflow_name": run.workflow,
            "head_branch": run.branch,
            "event": run.event,
            "jobs": [
                {
                    "name": job.name,
                    "labels": [job.label],
                    "steps": [
                        {
                            "name": name,
                            "seconds": seconds / scale,
                            "kind": "kill_machine" if job.dies and name == "die" else "sleep",
                        }
                        for name, seconds in job.steps
                    ],
                    "cancel_after_s": None if job.cancel_after is None else job.cancel_after / scale,
                }
                for job in run.jobs
            ],
        }
        answer = await self._post("github", "/_sim/runs", body)
        return dict(zip((job.name for job in run.jobs), answer["job_ids"], strict=True))

    async def journals(self) -> dict[str, list[dict[str, Any]]]:
        """Every simulator's whole journal, by name."""
        answers = await asyncio.gather(*(self._get(name, "/_sim/journal") for name in NAMES))
        return {name: answer["entries"] for name, answer in zip(NAMES, answers, strict=True)}

    async def concluded(self) -> set[int]:
        """Ids of the jobs that GitHub has concluded."""
        journal = await self._get("github", "/_sim/journal")
        return {entry["job_id"] for entry in journal["entries"] if entry["kind"] == "job_completed"}

    async def volumes(self) -> int:
        """How many volumes there are at Fly."""
        return len((await self._get("fly", "/_sim/state"))["volumes"])

    async def unfired(self) -> list[str]:
        """The faults that were armed and have not fired, as ``world: kind``."""
        found = []
        for name in NAMES:
            faults = await self._get(name, "/_sim/faults")
            found += [
                f"{name}: {fault['kind']} {fault['match']}" for fault in faults["faults"] if fault["left"]
            ]
        return found

    async def close(self) -> None:
        """Close the client."""
        await self.http.aclose()

    async def _post(self, name: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.http.post(f"{self.urls[name]}{path}", json=body)
        answer.raise_for_status()
        return dict(answer.json())

    async def _get(self, name: str, path: str) -> dict[str, Any]:
        answer = await self.http.get(f"{self.urls[name]}{path}")
        answer.raise_for_status()
        return dict(answer.json())
