"""Blocks of servers as the client API has them; blocks of network addresses and mailboxes; severed relations."""

import sqlalchemy as sa
from alembic import op

from fediverse import ids

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change."""
    _extend_host_blocks()
    op.create_table(
        "severances",
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("target_name", sa.Text(), server_default="", nullable=False),
        sa.Column("followers_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("following_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name=op.f("fk_severances_actor_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("event_id", "actor_id", name=op.f("pk_severances")),
    )
    op.create_table(
        "ip_blocks",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("network", sa.Text(), server_default="", nullable=False),
        sa.Column("severity", sa.Text(), server_default="", nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ip_blocks")),
        sa.UniqueConstraint("network", name=op.f("uq_ip_blocks_network")),
    )
    op.create_table(
        "email_domain_blocks",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("domain", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_domain_blocks")),
        sa.UniqueConstraint("domain", name=op.f("uq_email_domain_blocks_domain")),
    )
    op.create_table(
        "refused_sign_ups",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["block_id"], ["email_domain_blocks.id"], name=op.f("fk_refused_sign_ups_block_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_sign_ups")),
    )
    op.create_index("ix_refused_sign_ups_block", "refused_sign_ups", ["block_id", "created_at"])
    op.create_table(
        "canonical_email_blocks",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("email_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canonical_email_blocks")),
        sa.UniqueConstraint("email_hash", name=op.f("uq_canonical_email_blocks_email_hash")),
    )


def _extend_host_blocks() -> None:
    with op.batch_alter_table("host_blocks") as batch:
        batch.add_column(sa.Column("id", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("reject_reports", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch.add_column(sa.Column("public_comment", sa.Text(), server_default="", nullable=False))
        batch.add_column(sa.Column("obfuscate", sa.Boolean(), server_default=sa.false(), nullable=False))
    blocks = sa.table("host_blocks", sa.column("host"), sa.column("id"))
    connection = op.get_bind()
    for host in connection.scalars(sa.select(blocks.c.host)).all():
        connection.execute(blocks.update().where(blocks.c.host == host).values(id=ids.new_id()))
    with op.batch_alter_table("host_blocks") as batch:
        batch.alter_column("id", existing_type=sa.BigInteger(), nullable=False)
        batch.create_unique_constraint(op.f("uq_host_blocks_id"), ["id"])
