"""Polls: what is asked in a post, and who voted for what."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change."""
    op.add_column("statuses", sa.Column("poll", sa.JSON(), nullable=True))
    op.add_column("status_edits", sa.Column("poll_options", sa.JSON(), nullable=True))
    op.create_table(
        "poll_votes",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("status_id", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("choice", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["status_id"], ["statuses.id"], name=op.f("fk_poll_votes_status_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name=op.f("fk_poll_votes_actor_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_poll_votes")),
        sa.UniqueConstraint("status_id", "actor_id", "choice", name=op.f("uq_poll_votes_status_id_actor_id_choice")),
    )
    op.create_index("ix_poll_votes_actor", "poll_votes", ["actor_id", "status_id"])
