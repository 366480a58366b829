"""The runner's folder: its three secret-bearing files, `.env`, the diagnostic log."""

import base64
import hashlib
import hmac
import json
import os
import time
from pathlib import Path
from typing import Any

RUNNER, CREDENTIALS, RSA = ".runner", ".credentials", ".credentials_rsaparams"
FILES = (RUNNER, CREDENTIALS, RSA)


class Folder:
    """A folder that is, or will be, one configured runner.

    Args:
        root: where `run.sh` lies.
    """

    def __init__(self, root: str) -> None:
        self.root = Path(root)
        self._log = self.root / "_diag" / time.strftime("Runner_%Y%m%d-%H%M%S-utc.log", time.gmtime())

    def load_env(self) -> None:
        """Set what `.env` says, one NAME=VALUE a line."""
        path = self.root / ".env"
        for line in path.read_text().splitlines() if path.exists() else ():
            name, equals, value = line.partition("=")
            if name and equals:
                os.environ[name] = value

    @property
    def configured(self) -> bool:
        """Whether this folder is a runner."""
        return (self.root / RUNNER).exists()

    def write(self, files: dict[str, bytes]) -> None:
        """Write configuration files, readable for the owner only.

        Raises:
            ValueError: a name that would leave the folder.
        """
        for name, content in files.items():
            if "/" in name or name in {"", ".", ".."}:
                raise ValueError(f"{name!r} is no file name")
            path = self.root / name
            path.write_bytes(content)
            path.chmod(0o600)

    def write_jit(self, encoded: str) -> None:
        """Unpack a JIT config: base64(JSON {file name: base64(file)}).

        Raises:
            ValueError: it is not that.
        """
        inner = json.loads(base64.b64decode(encoded, validate=True))
        if not isinstance(inner, dict):
            raise ValueError("the JIT config is no JSON object")  # noqa: TRY004 - it is a bad value, not a bad call
        self.write({name: base64.b64decode(text) for name, text in inner.items()})

    def settings(self) -> dict[str, Any]:
        """What `.runner` says; every value is a string."""
        found: dict[str, Any] = json.loads((self.root / RUNNER).read_text(encoding="utf-8-sig"))
        return found

    def proof(self) -> tuple[str, str]:
        """The client id, and the HMAC that proves possession of its key."""
        client_id = json.loads((self.root / CREDENTIALS).read_text())["Data"]["ClientId"]
        key = json.loads((self.root / RSA).read_text())["d"]
        return client_id, hmac.new(key.encode(), client_id.encode(), hashlib.sha256).hexdigest()

    def forget(self) -> list[str]:
        """Remove the configuration and name the files that are gone."""
        gone = []
        for name in (CREDENTIALS, RUNNER, RSA):
            if (self.root / name).exists():
                (self.root / name).unlink()
                gone.append(name)
        return gone

    def log(self, text: str) -> None:
        """Write a line to the listener's diagnostic log; never a secret."""
        self._log.parent.mkdir(exist_ok=True)
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"[{time.strftime('%Y-%m-%d %H:%M:%SZ', time.gmtime())} INFO Listener] {text}\n")
