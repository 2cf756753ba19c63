"""Who was here in which week; whom people do not want to be suggested; the directory by what it is sorted by."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change."""
    op.create_table(
        "person_weeks",
        sa.Column("week", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_person_weeks_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("week", "person_id", name=op.f("pk_person_weeks")),
    )
    op.create_index(op.f("ix_person_weeks_person_id"), "person_weeks", ["person_id"])
    op.create_table(
        "suggestion_dismissals",
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["actors.id"], name=op.f("fk_suggestion_dismissals_actor_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["target_id"], ["actors.id"], name=op.f("fk_suggestion_dismissals_target_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("actor_id", "target_id", name=op.f("pk_suggestion_dismissals")),
    )
    op.create_index(op.f("ix_suggestion_dismissals_target_id"), "suggestion_dismissals", ["target_id"])
    for name, column in (("ix_actors_active", "last_status_at"), ("ix_actors_followed", "followers_count")):
        op.create_index(
            name,
            "actors",
            [column, "id"],
            postgresql_where=sa.text("discoverable"),
            sqlite_where=sa.text("discoverable = 1"),
        )
