"""Deliveries that have failed for good are found by host."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change."""
    op.create_index(
        "ix_deliveries_dead",
        "deliveries",
        ["host", "inbox"],
        postgresql_where=sa.text("dead"),
        sqlite_where=sa.text("dead = 1"),
    )
