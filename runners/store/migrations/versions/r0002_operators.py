"""What operators ask for: answers kept for repeats, overrides with a revision, Runners to be ended.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade(op: Operations) -> None:
    """Add one table and two columns; rows that are there keep their meaning."""
    op.create_table(
        "kept_answers",
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("kept_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("token_id", "key_hash", name=op.f("kept_answers_pkey")),
    )
    op.create_index("kept_answers_kept_at", "kept_answers", ["kept_at"])
    op.add_column("pools", sa.Column("revision", sa.BigInteger()))
    op.add_column("runners", sa.Column("end_asked", sa.Text()))
