"""Accounts that are moderated by themselves, warnings, and where people signed in from."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change."""
    with op.batch_alter_table("actors") as batch:
        batch.add_column(sa.Column("suspended_alone", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch.add_column(sa.Column("limited_alone", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch.add_column(sa.Column("sensitized_at", sa.BigInteger(), nullable=True))
    actors = sa.table(
        "actors", sa.column("host"), sa.column("suspended_at"), sa.column("suspended_alone", sa.Boolean())
    )
    op.execute(
        actors.update().where(actors.c.host == "", actors.c.suspended_at.is_not(None)).values(suspended_alone=True)
    )
    op.create_table(
        "account_warnings",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=True),
        sa.Column("report_id", sa.BigInteger(), nullable=True),
        sa.Column("action", sa.Text(), server_default="", nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("status_ids", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["target_id"], ["actors.id"], name=op.f("fk_account_warnings_target_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_account_warnings_person_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_warnings")),
    )
    op.create_index("ix_account_warnings_target", "account_warnings", ["target_id", "id"])
    op.create_table(
        "person_addresses",
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_person_addresses_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("person_id", "address", name=op.f("pk_person_addresses")),
    )
    op.create_index("ix_person_addresses_address", "person_addresses", ["address"])
