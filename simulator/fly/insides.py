"""What Fly's init gives to whatever runs inside a Machine: its environment and its token service."""

from collections.abc import Mapping

from simulator.clock import Clock
from simulator.fly import refusals
from simulator.fly.chronicle import Chronicle
from simulator.fly.machine import SimMachine
from simulator.fly.oidc import OidcIssuer, image_name

# Smallest guest Fly sells; what a configuration without a guest gets.
DEFAULT_MEMORY_MB = 256


class Insides:
    """The inside view of all Machines of one organization."""

    def __init__(
        self,
        clock: Clock,
        issuer: OidcIssuer,
        chronicle: Chronicle,
        app_secrets: Mapping[str, Mapping[str, str]],
    ) -> None:
        self._clock = clock
        self._issuer = issuer
        self._chronicle = chronicle
        self._app_secrets = app_secrets

    def environment(self, machine: SimMachine) -> dict[str, str]:
        """The app's secrets, the configuration's env, and Fly's own variables (documented), which win.

        Secrets are injected at every boot, whatever a create's ``skip_secrets`` said: the specification does
        not tell how long that holds, so here it never does.
        """
        processes = machine.config.get("processes") or [{}]
        ignored = bool(processes[0].get("ignore_app_secrets"))
        return {
            **({} if ignored else self._app_secrets.get(machine.app, {})),
            **(machine.config.get("env") or {}),
            "FLY_APP_NAME": machine.app,
            "FLY_MACHINE_ID": machine.id,
            "FLY_ALLOC_ID": machine.id,
            "FLY_REGION": machine.region,
            "FLY_IMAGE_REF": image_name(machine.image),
            "FLY_MACHINE_VERSION": machine.instance_id,
            "FLY_PRIVATE_IP": machine.private_ip,
            "FLY_VM_MEMORY_MB": str((machine.config.get("guest") or {}).get("memory_mb", DEFAULT_MEMORY_MB)),
            "PRIMARY_REGION": machine.region,
        }

    def mint_oidc(self, machine: SimMachine, audience: str | None) -> str:
        """A token for this audience.

        Raises:
            FlyRefusal: 500 while the fault `no_oidc` is armed for this Machine.
        """
        if self._chronicle.fire("no_oidc", machine):
            raise refusals.no_oidc()
        return self._issuer.mint(machine, audience, self._clock.now())
