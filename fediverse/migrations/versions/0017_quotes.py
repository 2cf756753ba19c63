"""Posts quote others, with their authors' consent."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change."""
    with op.batch_alter_table("actors", schema=None) as batch_op:
        batch_op.add_column(sa.Column("default_quote_policy", sa.Text(), server_default="", nullable=False))
    with op.batch_alter_table("statuses", schema=None) as batch_op:
        batch_op.add_column(sa.Column("quote_of_id", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("quote_uri", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("quote_state", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("quote_authorization", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("quote_policy", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(sa.Column("quotes_count", sa.Integer(), server_default=sa.text("0"), nullable=False))
    for name, columns, condition in (
        ("ix_statuses_quote", ["quote_of_id", "id"], "quote_of_id IS NOT NULL"),
        ("ix_statuses_quote_authorization", ["quote_authorization"], "quote_authorization IS NOT NULL"),
    ):
        op.create_index(name, "statuses", columns, postgresql_where=sa.text(condition), sqlite_where=sa.text(condition))
    op.create_table(
        "quote_authorizations",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("status_id", sa.BigInteger(), nullable=False),
        sa.Column("quoting_uri", sa.Text(), server_default="", nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["actors.id"], name=op.f("fk_quote_authorizations_actor_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["status_id"], ["statuses.id"], name=op.f("fk_quote_authorizations_status_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quote_authorizations")),
        sa.UniqueConstraint("status_id", "quoting_uri", name=op.f("uq_quote_authorizations_status_id_quoting_uri")),
    )
    op.create_index("ix_quote_authorizations_actor_id", "quote_authorizations", ["actor_id"])
