"""The tables, as SQLAlchemy Core metadata. The revisions in ``migrations/`` build these (a test compares).

Times are Unix seconds in DOUBLE PRECISION: microseconds survive until the year 2255. Column names are the
field names of ``runners.model.nouns``, so a row becomes a noun without a mapping of its own.
``previous_state`` is what a move's RETURNING reads: the state before it, in one statement on both databases.

Live rows are few and history is long, so what the planner reads has partial indices over live rows only.
Their predicates, and those of the queries, are literal text: neither database matches a partial index against
a bound parameter.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

from runners.model.reason import Reason
from runners.model.states import JobState, MachineState, RunnerState
from runners.store.columns import TextList, Word

JOBS_LIVE = text("state <> 'completed' AND refused IS NULL")
MACHINES_LIVE = text("state <> 'gone'")
RUNNERS_LIVE = text("state <> 'gone'")

# SQLite counts rowids only for a column declared exactly INTEGER; its integers have 64 bits anyway.
_COUNTER = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", BigInteger, nullable=False),
    Column("run_attempt", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("workflow_name", Text, nullable=False),
    Column("repository", Text, nullable=False),
    Column("installation_id", BigInteger),
    Column("labels", TextList, nullable=False),
    Column("head_branch", Text, nullable=False),
    Column("html_url", Text, nullable=False),
    Column("private", Boolean, nullable=False),
    Column("pool", Text),
    Column("state", Word(JobState), nullable=False),
    Column("conclusion", Text),
    Column("created_at", Double, nullable=False),
    Column("accepted_at", Double, nullable=False),
    Column("queued_at", Double),
    Column("in_progress_at", Double),
    Column("completed_at", Double),
    Column("runner_name", Text),
    Column("not_before", Double, nullable=False),
    Column("deferrals", Integer, nullable=False),
    Column("lost", Word(Reason)),
    Column("refused", Word(Reason)),
    Column("previous_state", Word(JobState)),
    Index("jobs_live", "accepted_at", "id", sqlite_where=JOBS_LIVE, postgresql_where=JOBS_LIVE),
    Index("jobs_pool_state", "pool", "state"),
    Index("jobs_runner_name", "runner_name"),
    Index("jobs_accepted_at", "accepted_at", "repository"),
    Index("jobs_run_id", "run_id", "id"),
)

machines = Table(
    "machines",
    metadata,
    Column("name", Text, primary_key=True),
    Column("pool", Text, nullable=False),
    Column("machine_class", Text, nullable=False),
    Column("image", Text, nullable=False),
    Column("app", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("fly_id", Text),
    Column("state", Word(MachineState), nullable=False),
    Column("requested_at", Double, nullable=False),
    Column("state_at", Double, nullable=False),
    Column("reason", Word(Reason)),
    Column("destroy_sent_at", Double),
    Column("gone_at", Double),
    Column("previous_state", Word(MachineState)),
    Column("fingerprint", Text),
    # The seq of the latest row in boots, 0 for none: a live read joins one boot without searching for it.
    Column("last_boot", Integer, nullable=False),
    Index(
        "machines_live", "requested_at", "name", sqlite_where=MACHINES_LIVE, postgresql_where=MACHINES_LIVE
    ),
    Index("machines_requested_at", "requested_at"),
    Index("machines_gone_at", "gone_at"),
)

boots = Table(
    "boots",
    metadata,
    Column("machine_name", ForeignKey("machines.name", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("launched_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ready_at", Double),
    Column("ended_at", Double),
    Column("exit_code", Integer),
    Column("exit_reason", Word(Reason)),
    Index("boots_ended_at", "ended_at"),
)

runners = Table(
    "runners",
    metadata,
    Column("name", Text, primary_key=True),
    Column("pool", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("machine_name", ForeignKey("machines.name"), nullable=False),
    Column("boot_seq", Integer, nullable=False),
    Column("registration", Text, nullable=False),
    Column("state", Word(RunnerState), nullable=False),
    Column("requested_at", Double, nullable=False),
    Column("state_at", Double, nullable=False),
    Column("demand_at", Double),
    Column("launch_sent_at", Double),
    Column("mint_sent_at", Double),
    Column("minted_at", Double),
    Column("github_id", BigInteger),
    Column("claimed_at", Double),
    Column("online_at", Double),
    Column("busy_at", Double),
    Column("finished_at", Double),
    Column("retiring_at", Double),
    Column("delete_sent_at", Double),
    Column("deregistered_at", Double),
    Column("gone_at", Double),
    Column("job_id", BigInteger),
    Column("reason", Word(Reason)),
    Column("previous_state", Word(RunnerState)),
    Column("hook_token_hash", Text, unique=True),
    Column("end_asked", Word(Reason)),
    Index("runners_live", "requested_at", "name", sqlite_where=RUNNERS_LIVE, postgresql_where=RUNNERS_LIVE),
    Index("runners_requested_at", "requested_at", "name"),
    Index("runners_pool", "pool", "requested_at", "name"),
    Index("runners_machine_name", "machine_name"),
    Index("runners_mint_sent_at", "mint_sent_at"),
    Index("runners_delete_sent_at", "delete_sent_at"),
    Index("runners_gone_at", "gone_at"),
)

events = Table(
    "events",
    metadata,
    Column("seq", _COUNTER, primary_key=True),
    Column("at", Double, nullable=False),
    Column("actor", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("reason", Word(Reason), nullable=False),
    Column("detail", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Index("events_target", "target", "seq"),
    Index("events_reason", "reason", "seq"),
    Index("events_at", "at"),
    # A seq is never given twice, even when the newest rows are gone: cursors and ETags rest on it.
    sqlite_autoincrement=True,
)

# Registrations between mint and claim; the ciphertext is sealed with the fleet key before it comes here.
sealed = Table(
    "sealed",
    metadata,
    Column("runner_name", ForeignKey("runners.name", ondelete="CASCADE"), primary_key=True),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("minted_at", Double, nullable=False),
    Column("nonce_hash", Text),
    Column("claimed_at", Double),
)

seen_tokens = Table(
    "seen_tokens",
    metadata,
    Column("jti", Text, primary_key=True),
    Column("expires_at", Double, nullable=False),
    Index("seen_tokens_expires_at", "expires_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("guid", Text, primary_key=True),
    Column("event", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("job_id", BigInteger),
    Column("outcome", Text, nullable=False),
    Index("deliveries_at", "at"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("scopes", TextList, nullable=False),
    Column("repositories", TextList, nullable=False),
    Column("pools", TextList, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("last_used_at", Double),
    Column("secret_hash", Text, nullable=False, unique=True),
)

# What an operator overrides at run time; NULL leaves the setting of fleet.toml in force.
pools = Table(
    "pools",
    metadata,
    Column("pool", Text, primary_key=True),
    Column("drained", Boolean),
    Column("max_machines", Integer),
    Column("ready", Integer),
    Column("stopped", Integer),
    # The seq of the operator's event that set them last: what If-Match compares.
    Column("revision", BigInteger),
)

fleet = Table(
    "fleet",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("paused", Boolean),
    CheckConstraint("id = 1", name="one_row"),
)

# The answers that were given to changes asked for with an Idempotency-Key, for a day.
kept_answers = Table(
    "kept_answers",
    metadata,
    Column("token_id", Text, primary_key=True),
    Column("key_hash", Text, primary_key=True),
    Column("request_hash", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("kept_at", Double, nullable=False),
    Index("kept_answers_kept_at", "kept_at"),
)

# Browsers that are signed in to the status page; what their cookie holds is stored as its hash.
page_sessions = Table(
    "page_sessions",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("token_id", ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Index("page_sessions_token_id", "token_id", "created_at"),
    Index("page_sessions_ends_at", "ends_at"),
)

# What a runner's Machine said last before a bad end: its disk is gone.
last_lines = Table(
    "last_lines",
    metadata,
    Column("runner_name", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("lines", Text, nullable=False),
    Index("last_lines_at", "at"),
)

# Where Fly had no room for a class lately: a dispatcher that restarts in an outage does not ask anew.
full_regions = Table(
    "full_regions",
    metadata,
    Column("machine_class", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("detail", Text, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("acquired_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
)
