"""Who hides a host is asked for each post that streams."""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change."""
    op.create_index("ix_hidden_hosts_host", "hidden_hosts", ["host"])
