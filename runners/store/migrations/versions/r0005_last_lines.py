"""What runners' Machines said last.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade(op: Operations) -> None:
    """Add one table."""
    op.create_table(
        "last_lines",
        sa.Column("runner_name", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("runner_name", name=op.f("last_lines_pkey")),
    )
    op.create_index("last_lines_at", "last_lines", ["at"])
