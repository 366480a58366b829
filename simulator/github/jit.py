"""What a runner needs to be a runner: its identity, and the JIT config that carries it.

Format: base64(JSON {file name: base64(file)}) of `.runner`, `.credentials` and `.credentials_rsaparams`
(source of actions/runner). The key parameters are random bytes and no RSA key: making one costs 50 ms, and
what matters here is that whoever reads the file can be the runner. A session is opened with an HMAC under
`d`.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from random import Random

KEY_BYTES = 256
_RSA_FIELDS = ("d", "dp", "dq", "exponent", "inverseQ", "modulus", "p", "q")
RUNNER_ROUTES = "/_runner"


@dataclass(frozen=True, slots=True)
class Identity:
    """A runner's client id and secret key material (base64 texts by RSA field name)."""

    client_id: str
    key: dict[str, str] = field(repr=False)

    def proof(self) -> str:
        """What a session request must show: HMAC-SHA256 of the client id under `d`, in hex."""
        return hmac.new(self.key["d"].encode(), self.client_id.encode(), hashlib.sha256).hexdigest()


def new_identity(rng: Random, marker: str = "") -> Identity:
    """Draw an identity from a seeded stream; the marker is the end of each part of its key."""
    raw = f"{rng.getrandbits(128):032x}"
    client_id = f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"
    return Identity(
        client_id, {name: _b64(rng.randbytes(KEY_BYTES) + marker.encode()) for name in _RSA_FIELDS}
    )


def runner_files(
    identity: Identity,
    *,
    public_url: str,
    runner_id: int,
    name: str,
    work_folder: str,
    ephemeral: bool,
    github_url: str = "",
) -> dict[str, str]:
    """The three files, file name → text, as the service writes them: every value in `.runner` is a string."""
    runner = {
        "AgentId": str(runner_id),
        "AgentName": name,
        "PoolId": "1",
        "PoolName": "Default",
        "ServerUrl": public_url,
        "GitHubUrl": github_url,
        "WorkFolder": work_folder,
        "Ephemeral": str(ephemeral),
        "DisableUpdate": "True",
        "UseV2Flow": "True",
        "ServerUrlV2": public_url + RUNNER_ROUTES,
    }
    credentials = {
        "Scheme": "OAuth",
        "Data": {
            "ClientId": identity.client_id,
            "AuthorizationUrl": public_url + RUNNER_ROUTES,
            "RequireFipsCryptography": "True",
        },
    }
    return {
        ".runner": json.dumps(runner),
        ".credentials": json.dumps(credentials),
        ".credentials_rsaparams": json.dumps(identity.key),
    }


def encode(files: dict[str, str]) -> str:
    """The `encoded_jit_config` of these files."""
    inner = {name: _b64(text.encode()) for name, text in files.items()}
    return _b64(json.dumps(inner).encode())


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
