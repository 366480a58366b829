"""Registration: what a booted Machine needs to become a runner, and its sealed form.

Between mint and claim it lies in the store encrypted with the fleet key (AES-256-GCM, the Runner's name as
associated data, so a row copied under another name does not open). The claim removes it.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

NONCE_BYTES = 12
TOKEN_BYTES = 32


class SealBroken(Exception):
    """A sealed registration does not open: it was sealed with another fleet key, or the row was altered.

    Attributes:
        runner: whose it is.
    """

    def __init__(self, runner: str) -> None:
        super().__init__(
            f"the sealed registration of runner {runner} does not open with this fleet key: it was "
            "sealed with another FLY_GHA_FLEET_KEY, or altered. Nothing was handed out."
        )
        self.runner = runner


@dataclass(frozen=True, slots=True)
class Registration:
    """What the claim hands out.

    Attributes:
        runner: the Runner's name.
        kind: ``jit`` or ``token``.
        secret: the encoded JIT config, or the registration token.
        hook_token: valid for this Runner's hooks only.
        configure: for ``token``, what config.sh needs besides the token (url, labels, runner_group).
    """

    runner: str
    kind: str
    secret: SecretStr
    hook_token: SecretStr
    configure: Mapping[str, Any] = field(default_factory=dict)

    def for_agent(self) -> dict[str, Any]:
        """The ``registration`` object of a claim's answer; the only place where the secret leaves."""
        if self.kind == "jit":
            return {"kind": "jit", "jit_config": self.secret.get_secret_value()}
        return {
            "kind": "token",
            "token": self.secret.get_secret_value(),
            "name": self.runner,
            **self.configure,
        }


class Sealer:
    """Seals and opens registrations with the fleet key.

    Args:
        fleet_key: any string of 32 or more characters; the AES key is its SHA-256.
        entropy: gives that many random bytes.
    """

    def __init__(self, fleet_key: SecretStr, entropy: Callable[[int], bytes]) -> None:
        self._cipher = AESGCM(hashlib.sha256(fleet_key.get_secret_value().encode()).digest())
        self._entropy = entropy

    def seal(self, registration: Registration) -> bytes:
        """The encrypted form of a registration."""
        plain = json.dumps(
            {
                "kind": registration.kind,
                "secret": registration.secret.get_secret_value(),
                "hook_token": registration.hook_token.get_secret_value(),
                "configure": dict(registration.configure),
            }
        ).encode()
        nonce = self._entropy(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, registration.runner.encode())

    def open(self, runner: str, sealed: bytes) -> Registration:
        """The registration again.

        Raises:
            SealBroken: another key, another Runner's row, or altered bytes.
        """
        try:
            plain = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], runner.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken(runner) from error
        fields = json.loads(plain)
        return Registration(
            runner=runner,
            kind=fields["kind"],
            secret=SecretStr(fields["secret"]),
            hook_token=SecretStr(fields["hook_token"]),
            configure=fields["configure"],
        )


def new_hook_token(entropy: Callable[[int], bytes]) -> SecretStr:
    """A fresh hook token, URL-safe."""
    return SecretStr(base64.urlsafe_b64encode(entropy(TOKEN_BYTES)).rstrip(b"=").decode())


def token_hash(secret: str) -> str:
    """How a high-entropy token or nonce is stored: its SHA-256, as hex."""
    return hashlib.sha256(secret.encode()).hexdigest()
