"""Private notes, endorsements, hosts that single actors hide, languages of a follow."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change."""
    op.add_column("follows", sa.Column("languages", sa.Text(), nullable=True))
    op.create_table(
        "account_notes",
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["actors.id"], name=op.f("fk_account_notes_actor_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["target_id"], ["actors.id"], name=op.f("fk_account_notes_target_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("actor_id", "target_id", name=op.f("pk_account_notes")),
    )
    op.create_index(op.f("ix_account_notes_target_id"), "account_notes", ["target_id"])
    op.create_table(
        "endorsements",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name=op.f("fk_endorsements_actor_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["target_id"], ["actors.id"], name=op.f("fk_endorsements_target_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endorsements")),
        sa.UniqueConstraint("actor_id", "target_id", name=op.f("uq_endorsements_actor_id_target_id")),
    )
    op.create_index(op.f("ix_endorsements_target_id"), "endorsements", ["target_id"])
    op.create_table(
        "hidden_hosts",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name=op.f("fk_hidden_hosts_actor_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hidden_hosts")),
        sa.UniqueConstraint("actor_id", "host", name=op.f("uq_hidden_hosts_actor_id_host")),
    )
