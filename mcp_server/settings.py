"""What an operator may set, each by the environment variable ``FLY_GHA_STATUS_<NAME>``.

Every figure that a description, an error or the documentation names is read from here: none is written twice.
The only credential is a dispatcher token with the scope ``read``.
"""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "FLY_GHA_STATUS_"
_URL = r"^https?://[^\s?#]+$"
DAY_S = 86_400.0


class Envelope(BaseSettings):
    """The limits that every call is held to."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    calls_per_minute: float = Field(
        60, gt=0, le=60_000, description="Calls per minute that each caller may make in the long run."
    )
    burst: int = Field(
        120, ge=1, le=100_000, description="Calls that a caller may make at once after a pause."
    )
    project_calls_per_minute: float = Field(
        600,
        gt=0,
        le=600_000,
        description="Calls per minute of all callers of one project together; as many may come at once.",
    )
    upstream_timeout_s: float = Field(
        10, gt=0, le=60, description="Seconds the dispatcher has for one answer."
    )
    call_timeout_s: float = Field(25, gt=0, le=300, description="Seconds one call may take altogether.")
    health_timeout_s: float = Field(
        3, gt=0, le=30, description="Seconds each dependency has to answer a health check."
    )
    answer_max_bytes: int = Field(
        2 * 1024 * 1024,
        ge=4096,
        le=64 * 1024 * 1024,
        description="Bytes an answer may have at most; a longer one is refused, never cut.",
    )
    answer_soft_tokens: int = Field(
        1000,
        ge=100,
        le=100_000,
        description="Estimated tokens past which a list is shortened to a summary, a count and a cursor.",
    )
    retries: int = Field(
        0, ge=0, le=0, description="Times a failed question to the dispatcher is repeated: always zero."
    )
    breaker_errors: int = Field(
        5, ge=1, le=100, description="So many failures of the dispatcher open the breaker …"
    )
    breaker_window_s: float = Field(
        300, gt=0, le=3600, description="… when they fall within so many seconds."
    )
    breaker_open_s: float = Field(
        900, gt=0, le=7200, description="Seconds an open breaker lets nothing through."
    )
    breaker_trials: int = Field(3, ge=1, le=20, description="Good trials after which an open breaker closes.")


class StatusSettings(Envelope):
    """Everything that may be set."""

    dispatcher_url: str = Field("http://127.0.0.1:8080", pattern=_URL, description="Where the dispatcher is.")
    token: SecretStr | None = Field(
        None, description="The dispatcher's API token, with the scope read; or use token_file."
    )
    token_file: Path | None = Field(None, description="A file that holds the dispatcher's API token.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8090, ge=0, le=65_535, description="Port to listen on; 0 picks a free one.")
    public_hosts: tuple[str, ...] = Field(
        (),
        description='Host headers to accept besides the loopback, as a JSON list: ["status.example.org"].',
    )
    public_origins: tuple[str, ...] = Field(
        (), description="Origin headers of browsers to accept, as a JSON list; none by default."
    )
    request_max_bytes: int = Field(
        64 * 1024, ge=1024, le=4 * 1024 * 1024, description="Bytes a request may have."
    )
    tokens_file: Path = Field(
        Path("~/.local/state/fly-gha-status/tokens.json"),
        description="Where the hashed tokens of callers are kept.",
    )
    audit_dir: Path = Field(
        Path("~/.local/state/fly-gha-status/audit"), description="Directory of the audit log."
    )
    audit_keep_days: int = Field(30, ge=1, le=3650, description="Days that audit records are kept.")
    audit_file_max_bytes: int = Field(
        64 * 1024 * 1024, ge=4096, description="Bytes after which the audit log begins a new file."
    )
    stale_after_s: float = Field(
        30, gt=0, le=3600, description="Age of the fleet view past which answers say stale and gates fail."
    )
    revision_wait_s: float = Field(
        5, ge=0, le=60, description="Seconds a read waits for the min_revision that it asked for."
    )
    view_idle_s: float = Field(
        600, gt=0, le=86_400, description="Seconds after which a view that nobody asks is no longer followed."
    )
    reading_kept_s: float = Field(
        1, ge=0, le=60, description="Seconds an answer of the dispatcher serves the same question again."
    )

    @field_validator("token", "token_file", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("token_file", "tokens_file", "audit_dir")
    @classmethod
    def _at_home(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser()
