"""Cards are found by where they lead."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change."""
    op.create_index("ix_cards_link", "cards", ["link"])
