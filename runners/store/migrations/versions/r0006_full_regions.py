"""Regions that had no room for a class lately.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade(op: Operations) -> None:
    """Add one table."""
    op.create_table(
        "full_regions",
        sa.Column("machine_class", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("machine_class", "region", name=op.f("full_regions_pkey")),
    )
