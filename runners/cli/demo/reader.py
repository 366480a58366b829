"""What the demo reads and changes of the dispatcher: its public API, with tokens made for it."""

import secrets
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
from sqlalchemy import Connection

from runners.api.access import NewToken, new_token
from runners.cli.demo.place import Place, write_private
from runners.fleet_file import load_settings
from runners.store import tokens
from runners.store.engine import open_store
from runners.upstream.clock import SystemClock

PAGE = 500


@dataclass
class Reader:
    """The dispatcher's API; ``token`` may read, ``operator`` may change."""

    url: str
    token: str
    operator: str
    http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=10.0, trust_env=False))

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        """One answer."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = await self.http.get(f"{self.url}{path}", params=params, headers=headers)
        answer.raise_for_status()
        return dict(answer.json())

    async def job(self, job_id: int) -> dict[str, Any]:
        """One job, or one without phases while the dispatcher does not know it."""
        page = await self.http.get(
            f"{self.url}/v1/jobs/{job_id}", headers={"Authorization": f"Bearer {self.token}"}
        )
        if page.status_code == httpx.codes.NOT_FOUND:
            return {"phases": []}
        page.raise_for_status()
        return dict(page.json()["job"])

    async def jobs(self) -> list[dict[str, Any]]:
        """Every job, whatever its state."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.get("/v1/jobs", limit=PAGE, **cursor)
            found.extend(page["jobs"])
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    async def scale(self, pool: str, **figures: int) -> None:
        """Override a pool's figures."""
        headers = {"Authorization": f"Bearer {self.operator}"}
        answer = await self.http.post(f"{self.url}/v1/pools/{pool}/scale", json=figures, headers=headers)
        answer.raise_for_status()

    async def close(self) -> None:
        """Close the client."""
        await self.http.aclose()


async def make_reader(place: Place) -> Reader:
    """Make tokens in the demo's store, as ``fly-gha token create --local`` does."""
    store = open_store(load_settings(place.fleet, {}).fleet.database_url)
    now = SystemClock().now()
    reads, operates = (
        new_token(secrets.token_bytes, name=f"demo {scope}", scopes=(scope,), now=now)
        for scope in ("read", "operate")
    )
    try:
        await store.migrate()
        for made in (reads, operates):
            await store.run(partial(_insert, made=made))
    finally:
        await store.close()
    write_private(place.token_file, reads.text.get_secret_value())
    return Reader(place.url, reads.text.get_secret_value(), operates.text.get_secret_value())


def _insert(conn: Connection, made: NewToken) -> None:
    tokens.insert(conn, made.row, made.secret_hash)
