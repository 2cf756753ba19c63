"""Who was here on which day."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change."""
    op.create_table(
        "person_days",
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_person_days_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("day", "person_id", name=op.f("pk_person_days")),
    )
    op.create_index(op.f("ix_person_days_person_id"), "person_days", ["person_id"])
