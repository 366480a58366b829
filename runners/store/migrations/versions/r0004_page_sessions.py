"""What the status page asks for: the sessions of signed-in browsers.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade(op: Operations) -> None:
    """Add one table."""
    op.create_table(
        "page_sessions",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("page_sessions_pkey")),
        sa.ForeignKeyConstraint(
            ["token_id"], ["tokens.id"], name=op.f("page_sessions_token_id_fkey"), ondelete="CASCADE"
        ),
    )
    op.create_index("page_sessions_token_id", "page_sessions", ["token_id", "created_at"])
    op.create_index("page_sessions_ends_at", "page_sessions", ["ends_at"])
