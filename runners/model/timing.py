"""Every duration of the fleet, in seconds, in one place: the ``[timing]`` section of fleet.toml."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(gt=0, le=31_536_000)]


class Timing(BaseModel):
    """Deadlines, periods and grace times, in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    planner_period: Seconds = Field(
        5, description="The planner runs at least this often; events wake it at once."
    )
    machine_list_period: Seconds = Field(15, description="Between two readings of each app's Machine list.")
    runner_list_period: Seconds = Field(30, description="Between two readings of each scope's runner list.")
    group_list_period: Seconds = Field(
        600, description="Between two readings of runner groups, or of a repository's visibility."
    )
    delivery_period: Seconds = Field(60, description="Between two readings of the webhook delivery log.")
    queue_sweep_period: Seconds = Field(120, description="Between two sweeps of queued runs.")
    queue_sweep_memory: Seconds = Field(
        86_400,
        description="A repository is swept this long after its last job, and while a job of it is open.",
    )
    credentials_period: Seconds = Field(
        30, description="Between two readings of the secrets; a rotation is noticed in this time."
    )
    retention_period: Seconds = Field(3600, description="Between two removals of old rows.")
    retention: Seconds = Field(
        2_592_000, description="How long finished jobs, gone rows and events are kept."
    )

    launch_deadline: Seconds = Field(
        15, description="A create without an answer after this is looked up by name."
    )
    boot_deadline: Seconds = Field(180, description="From launch to the boot agent's first claim.")
    online_deadline: Seconds = Field(120, description="From claim to the listener being online at GitHub.")
    idle_timeout: Seconds = Field(120, description="A Runner online without a job for this long is retired.")
    max_lifetime: Seconds = Field(86_400, description="A Runner older than this is ended even when busy.")
    spare_max_age: Seconds = Field(86_400, description="A spare Machine older than this is replaced.")
    spare_settle: Seconds = Field(
        60,
        description="A new spare is started once Fly's list shows it stopped, or this long after its create.",
    )
    start_again: Seconds = Field(
        30, description="A spare that Fly would not start yet is tried again after this."
    )
    retire_grace: Seconds = Field(
        90, description="After deregistration a Machine may end by itself for this long."
    )
    finish_grace: Seconds = Field(
        60, description="After its job completed a Machine may end by itself for this long."
    )
    destroy_again: Seconds = Field(
        20, description="A destroy that has not shown effect is sent again after this."
    )
    delete_again: Seconds = Field(
        20, description="A DELETE of a registration without an answer is sent again after this."
    )
    absence_confirm: Seconds = Field(
        60, description="Two readings this far apart must agree before absence is believed."
    )

    claim_poll: Seconds = Field(
        25, description="How long the server holds a claim that has nothing to hand out yet."
    )
    claim_grace: Seconds = Field(
        60, description="The same nonce gets the same answer for this long unless acknowledged."
    )
    claim_deadline: Seconds = Field(
        600, description="The boot agent of a cold Machine gives up claiming after this."
    )
    registration_max_age: Seconds = Field(
        240,
        description="A minted registration that nobody claimed is replaced after this, before GitHub removes "
        "it; of use where boot_deadline, which ends the Machine too, is longer.",
    )
    clock_leeway: Seconds = Field(
        10, description="Allowed difference between Fly's clock and ours in a claim's token."
    )
    clock_skew_max: Seconds = Field(
        300, description="The boot agent refuses to start a runner on a clock further off than this."
    )

    backoff_first: Seconds = Field(
        60, description="First back-off of a job that GitHub does not dispatch; doubles each time."
    )
    backoff_max: Seconds = Field(900, description="Longest such back-off.")
    capacity_memory: Seconds = Field(
        120,
        description="A place that refused is left alone for this long, then one launch tries it.",
    )

    upstream_deadline: Seconds = Field(
        10, description="Every call to Fly, GitHub or Infisical ends after this."
    )
    breaker_window: Seconds = Field(300, description="Five errors within this open an upstream's breaker.")
    breaker_open: Seconds = Field(900, description="An open breaker lets trials through after this.")
    fly_pause: Seconds = Field(
        3, description="Fly names no time in a rate-limit answer; its app is left alone for this."
    )
    github_pause: Seconds = Field(60, description="As fly_pause, for a GitHub answer that names no time.")
    token_refresh_margin: Seconds = Field(
        600, description="A GitHub token is renewed when it has this long to live."
    )

    @model_validator(mode="after")
    def _waits_outlast_calls(self) -> Self:
        mistakes = [
            f"timing.{name}: found {getattr(self, name):g}, expected more than timing.upstream_deadline "
            f"({self.upstream_deadline:g}): a call may still be out"
            for name in ("launch_deadline", "delete_again", "destroy_again")
            if getattr(self, name) <= self.upstream_deadline
        ]
        if mistakes:
            raise ValueError("\n".join(mistakes))
        return self

    def scaled(self, factor: float) -> Self:
        """The same timing with every duration divided by ``factor`` (the demo's time scale)."""
        return type(self)(**{name: value / factor for name, value in self.model_dump().items()})
