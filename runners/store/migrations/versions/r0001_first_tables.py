"""First tables: everything the fleet remembers.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_JOBS_LIVE = sa.text("state <> 'completed' AND refused IS NULL")
_NOT_GONE = sa.text("state <> 'gone'")


def upgrade(op: Operations) -> None:
    """Make the tables and indices of runners.store.tables, as they were at this revision."""
    _work(op)
    _trail_and_handoff(op)
    _webhooks(op)
    _operators(op)


def _work(op: Operations) -> None:
    """Jobs, Machines with their Boots, and Runners."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("run_attempt", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("workflow_name", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("installation_id", sa.BigInteger()),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("head_branch", sa.Text(), nullable=False),
        sa.Column("html_url", sa.Text(), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("pool", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("conclusion", sa.Text()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("accepted_at", sa.Double(), nullable=False),
        sa.Column("queued_at", sa.Double()),
        sa.Column("in_progress_at", sa.Double()),
        sa.Column("completed_at", sa.Double()),
        sa.Column("runner_name", sa.Text()),
        sa.Column("not_before", sa.Double(), nullable=False),
        sa.Column("deferrals", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Text()),
        sa.Column("refused", sa.Text()),
        sa.Column("previous_state", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("jobs_pkey")),
    )
    op.create_index("jobs_accepted_at", "jobs", ["accepted_at", "repository"])
    op.create_index(
        "jobs_live", "jobs", ["accepted_at", "id"], sqlite_where=_JOBS_LIVE, postgresql_where=_JOBS_LIVE
    )
    op.create_index("jobs_pool_state", "jobs", ["pool", "state"])
    op.create_index("jobs_runner_name", "jobs", ["runner_name"])
    op.create_table(
        "machines",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("machine_class", sa.Text(), nullable=False),
        sa.Column("image", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("fly_id", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.Double(), nullable=False),
        sa.Column("state_at", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("destroy_sent_at", sa.Double()),
        sa.Column("gone_at", sa.Double()),
        sa.Column("previous_state", sa.Text()),
        sa.Column("last_boot", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("machines_pkey")),
    )
    op.create_index("machines_gone_at", "machines", ["gone_at"])
    op.create_index(
        "machines_live",
        "machines",
        ["requested_at", "name"],
        sqlite_where=_NOT_GONE,
        postgresql_where=_NOT_GONE,
    )
    op.create_index("machines_requested_at", "machines", ["requested_at"])
    op.create_table(
        "boots",
        sa.Column("machine_name", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("launched_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double()),
        sa.Column("ready_at", sa.Double()),
        sa.Column("ended_at", sa.Double()),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("exit_reason", sa.Text()),
        sa.ForeignKeyConstraint(
            ["machine_name"], ["machines.name"], name=op.f("boots_machine_name_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("machine_name", "seq", name=op.f("boots_pkey")),
    )
    op.create_index("boots_ended_at", "boots", ["ended_at"])
    op.create_table(
        "runners",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("machine_name", sa.Text(), nullable=False),
        sa.Column("boot_seq", sa.Integer(), nullable=False),
        sa.Column("registration", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.Double(), nullable=False),
        sa.Column("state_at", sa.Double(), nullable=False),
        sa.Column("demand_at", sa.Double()),
        sa.Column("launch_sent_at", sa.Double()),
        sa.Column("mint_sent_at", sa.Double()),
        sa.Column("minted_at", sa.Double()),
        sa.Column("github_id", sa.BigInteger()),
        sa.Column("claimed_at", sa.Double()),
        sa.Column("online_at", sa.Double()),
        sa.Column("busy_at", sa.Double()),
        sa.Column("finished_at", sa.Double()),
        sa.Column("retiring_at", sa.Double()),
        sa.Column("delete_sent_at", sa.Double()),
        sa.Column("deregistered_at", sa.Double()),
        sa.Column("gone_at", sa.Double()),
        sa.Column("job_id", sa.BigInteger()),
        sa.Column("reason", sa.Text()),
        sa.Column("previous_state", sa.Text()),
        sa.Column("hook_token_hash", sa.Text()),
        sa.ForeignKeyConstraint(["machine_name"], ["machines.name"], name=op.f("runners_machine_name_fkey")),
        sa.PrimaryKeyConstraint("name", name=op.f("runners_pkey")),
        sa.UniqueConstraint("hook_token_hash", name=op.f("runners_hook_token_hash_key")),
    )
    op.create_index("runners_delete_sent_at", "runners", ["delete_sent_at"])
    op.create_index("runners_gone_at", "runners", ["gone_at"])
    op.create_index(
        "runners_live",
        "runners",
        ["requested_at", "name"],
        sqlite_where=_NOT_GONE,
        postgresql_where=_NOT_GONE,
    )
    op.create_index("runners_machine_name", "runners", ["machine_name"])
    op.create_index("runners_pool", "runners", ["pool", "requested_at", "name"])
    op.create_index("runners_mint_sent_at", "runners", ["mint_sent_at"])
    op.create_index("runners_requested_at", "runners", ["requested_at", "name"])


def _trail_and_handoff(op: Operations) -> None:
    """The audit trail, and the hand-off of registrations."""
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("events_pkey")),
        sqlite_autoincrement=True,
    )
    op.create_index("events_at", "events", ["at"])
    op.create_index("events_target", "events", ["target", "seq"])
    op.create_table(
        "sealed",
        sa.Column("runner_name", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("minted_at", sa.Double(), nullable=False),
        sa.Column("nonce_hash", sa.Text()),
        sa.Column("claimed_at", sa.Double()),
        sa.ForeignKeyConstraint(
            ["runner_name"], ["runners.name"], name=op.f("sealed_runner_name_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("runner_name", name=op.f("sealed_pkey")),
    )
    op.create_table(
        "seen_tokens",
        sa.Column("jti", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("jti", name=op.f("seen_tokens_pkey")),
    )
    op.create_index("seen_tokens_expires_at", "seen_tokens", ["expires_at"])


def _webhooks(op: Operations) -> None:
    """Deliveries taken, and how far logs were read."""
    op.create_table(
        "deliveries",
        sa.Column("guid", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("job_id", sa.BigInteger()),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("guid", name=op.f("deliveries_pkey")),
    )
    op.create_index("deliveries_at", "deliveries", ["at"])
    op.create_table(
        "cursors",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("cursors_pkey")),
    )


def _operators(op: Operations) -> None:
    """API tokens, overrides, and the planner's lease."""
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("repositories", sa.Text(), nullable=False),
        sa.Column("pools", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double()),
        sa.Column("revoked_at", sa.Double()),
        sa.Column("last_used_at", sa.Double()),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("tokens_pkey")),
        sa.UniqueConstraint("secret_hash", name=op.f("tokens_secret_hash_key")),
    )
    op.create_table(
        "pools",
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("drained", sa.Boolean()),
        sa.Column("max_machines", sa.Integer()),
        sa.Column("ready", sa.Integer()),
        sa.Column("stopped", sa.Integer()),
        sa.PrimaryKeyConstraint("pool", name=op.f("pools_pkey")),
    )
    op.create_table(
        "fleet",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("paused", sa.Boolean()),
        sa.CheckConstraint("id = 1", name=op.f("fleet_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("fleet_pkey")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("acquired_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("lease_pkey")),
    )
