"""Looks for credentials where none may be: in the processes' arguments and environments, in what is shown.

What is sought are the credentials of a running demo themselves. Each is sought as it is, in base64 (a text's
base64 depends on where it begins, so in three forms, and in base64 of base64, as a JIT config has it), and as
a URL holds it.
"""

import base64
import json
import re
import threading
import tomllib
from pathlib import Path
from urllib.parse import quote, quote_plus

import httpx

LOOK_S = 0.1
# GitHub's own contract: the listener takes its JIT config, config.sh its token, by these variables; both
# programs remove them from what they start.
BY_GITHUBS_DESIGN = (b"ACTIONS_RUNNER_INPUT_JITCONFIG=", b"ACTIONS_RUNNER_INPUT_TOKEN=")


def forms(secret: str) -> set[bytes]:
    """Every way in which a secret is recognized."""
    plain = secret.encode()
    once = _in_base64(plain)
    twice = {deeper for form in once for deeper in _in_base64(form)}
    thrice = {deepest for form in twice for deepest in _in_base64(form)}
    encoded = {quote(secret, safe="").encode(), quote_plus(secret).encode()}
    return {plain, *encoded, *(form.lower() for form in encoded if b"%" in form), *once, *twice, *thrice}


def _in_base64(raw: bytes) -> set[bytes]:
    """The inner part of each of the three encodings, in both alphabets."""
    found = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found |= {encode(b"x" * shift + raw).rstrip(b"=")[4:-4] for shift in range(3)}
    return {form for form in found if len(form) >= 16}


class Search:
    """Some secrets by name, and where each was found.

    Attributes:
        hits: ``secret in place``.
        allowed: likewise, where GitHub's own design puts it.
    """

    def __init__(self, secrets: dict[str, str]) -> None:
        self._sought = {
            name: re.compile(b"|".join(re.escape(form) for form in sorted(forms(secret))))
            for name, secret in secrets.items()
        }
        self.hits: set[str] = set()
        self.allowed: set[str] = set()

    def look_at(self, place: str, content: bytes) -> None:
        """Note the secrets that the content holds."""
        self.hits |= {f"{name} in {place}" for name, sought in self._sought.items() if sought.search(content)}

    def look_at_processes(self) -> None:
        """Look at the arguments and the environment of every process there is, whoever's it is."""
        for process in Path("/proc").glob("[0-9]*"):
            for part in ("cmdline", "environ"):
                try:
                    words = (process / part).read_bytes().split(b"\0")
                except OSError:
                    continue  # It ended while we looked.
                kept = [word for word in words if not word.startswith(BY_GITHUBS_DESIGN)]
                program = f" ({words[0][-40:].decode(errors='replace')})" if part == "cmdline" else ""
                self.look_at(f"{part} of a process{program}", b"\0".join(kept))
                for word in set(words) - set(kept):
                    self._allow(word)

    def _allow(self, word: bytes) -> None:
        name = word.partition(b"=")[0].decode()
        self.allowed |= {f"{held} in {name}" for held, sought in self._sought.items() if sought.search(word)}


def secrets_of(folder: Path) -> dict[str, str]:
    """The credentials of the demo in that folder; ``github`` is part of whatever GitHub mints there."""
    world = json.loads((folder / "world.json").read_text())
    identities = world["infisical"]["identities"]
    found = {
        "fly": world["fly"]["api_token"].removeprefix("fm2_"),
        "webhook": world["github"]["webhook_secret"],
        "github": world["github"]["marker"],
        "fleet key": world["infisical"]["secrets"]["FLY_GHA_FLEET_KEY"],
        "api token": (folder / "token").read_text().split("_", 2)[2],
        **{f"infisical {one['name']}": one["client_secret"] for one in identities},
    }
    held = (folder / "publisher.secrets").read_text() if (folder / "publisher.secrets").exists() else ""
    pem = re.search(
        r"-----BEGIN PRIVATE KEY-----(?:\\n|\n)(.*?)-----END", held + json.dumps(world), re.DOTALL
    )
    assert pem is not None
    lines = re.split(r"\\n|\n", pem[1])
    return found | {f"app key, line {number}": lines[number] for number in (3, 12)}


class Watcher(threading.Thread):
    """Looks at a demo from its start to its end.

    Args:
        folder: the demo's.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self._folder = folder
        self._over = threading.Event()
        self.search: Search | None = None
        self.seen: set[str] = set()
        self.trouble: list[str] = []

    def end(self) -> Search:
        """Stop looking, once more at what the demo left; returns what was found."""
        self._over.set()
        self.join()
        assert self.search is not None, "the demo had no secrets"
        for file in (
            *self._folder.glob("*.log"),
            *self._folder.glob("fleet.db*"),
            self._folder / "fleet.toml",
        ):
            self.search.look_at(file.name, file.read_bytes())
            self.seen.add(file.name)
        return self.search

    def run(self) -> None:
        """Look at the processes all the time, and every two seconds at what is shown."""
        rounds = 0
        while not self._over.wait(LOOK_S):
            if self.search is None and (self._folder / "token").exists():
                self.search = Search(secrets_of(self._folder))
            if self.search is None:
                continue
            self.search.look_at_processes()
            if rounds % 20 == 0:
                try:
                    self._look_at_what_is_shown(self.search)
                except httpx.TransportError:
                    rounds -= 1  # It is not up yet, or not any more.
            rounds += 1

    def _look_at_what_is_shown(self, search: Search) -> None:
        world = json.loads((self._folder / "world.json").read_text())
        fleet = tomllib.loads((self._folder / "fleet.toml").read_text())
        url, token = fleet["fleet"]["public_url"], (self._folder / "token").read_text()
        with httpx.Client(base_url=url, trust_env=False, timeout=5) as client:
            bearer = {"Authorization": f"Bearer {token}"}
            for path in (
                "/v1/status",
                "/v1/events?limit=500",
                "/v1/jobs?limit=500",
                "/v1/runners?limit=500",
                "/metrics",
                "/readyz",
            ):
                self._show(search, path.partition("?")[0], client.get(path, headers=bearer))
            signed_in = client.post("/signin", data={"token": token}, headers={"Origin": url})
            self._show(search, "the sign-in", signed_in)
            self._show(search, "the page", client.get("/"))
        with httpx.Client(base_url=fleet["fly"]["api_hostname"], trust_env=False, timeout=5) as fly:
            bearer = {"Authorization": f"FlyV1 {world['fly']['api_token']}"}
            for app in world["fly"]["apps"]:
                listed = fly.get(f"/v1/apps/{app}/machines?include_deleted=true", headers=bearer)
                if listed.is_success:
                    self._show(search, "Machines at Fly", listed)
            self._show(search, "FlySim's journal", fly.get("/_sim/journal"))
            self._show(search, "FlySim's state", fly.get("/_sim/state"))

    def _show(self, search: Search, place: str, answer: httpx.Response) -> None:
        search.look_at(place, answer.content + repr(answer.headers).encode())
        if answer.is_success:
            self.seen.add(place)
