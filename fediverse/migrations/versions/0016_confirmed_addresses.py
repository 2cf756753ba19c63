"""Whose e-mail address is confirmed, and which one is to take its place."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change. Who is here already need not confirm anything."""
    op.add_column("people", sa.Column("confirmed_at", sa.BigInteger(), nullable=True))
    op.add_column("people", sa.Column("new_email", sa.Text(), server_default="", nullable=False))
    op.execute("UPDATE people SET confirmed_at = created_at")
