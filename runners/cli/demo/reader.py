"""What the demo reads of the dispatcher: its public API, with a token made for it."""

import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx

from runners.api.access import new_token
from runners.cli.demo.place import Place, write_private
from runners.fleet_file import load_settings
from runners.store import tokens
from runners.store.engine import open_store
from runners.upstream.clock import SystemClock

PAGE = 500


@dataclass
class Reader:
    """The dispatcher's read API."""

    url: str
    token: str
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

    async def close(self) -> None:
        """Close the client."""
        await self.http.aclose()


async def make_reader(place: Place) -> Reader:
    """Make a read token in the demo's store, as ``fly-gha token create --local`` does."""
    store = open_store(load_settings(place.fleet, {}).fleet.database_url)
    made = new_token(secrets.token_bytes, name="demo", scopes=("read",), now=SystemClock().now())
    try:
        await store.migrate()
        await store.run(lambda conn: tokens.insert(conn, made.row, made.secret_hash))
    finally:
        await store.close()
    text = made.text.get_secret_value()
    write_private(place.token_file, text)
    return Reader(place.url, text)
