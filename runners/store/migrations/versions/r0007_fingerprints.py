"""What a Machine's class was when it was made.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade(op: Operations) -> None:
    """Add one column; of Machines that are there it is not known."""
    op.add_column("machines", sa.Column("fingerprint", sa.Text(), nullable=True))
