"""What pages say of themselves that posts link to."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change."""
    op.create_table(
        "cards",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        *(
            sa.Column(name, sa.Text(), server_default="", nullable=False)
            for name in (
                *("url", "kind", "link", "title", "description", "language"),
                *("author_name", "author_url", "provider_name", "provider_url"),
            )
        ),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("image_description", sa.Text(), server_default="", nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("published_at", sa.BigInteger(), nullable=True),
        sa.Column("fetched_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cards")),
        sa.UniqueConstraint("url", name=op.f("uq_cards_url")),
    )
    op.add_column("statuses", sa.Column("card_id", sa.BigInteger(), nullable=True))
    linked = sa.text("card_id IS NOT NULL")
    op.create_index("ix_statuses_card", "statuses", ["card_id", "id"], postgresql_where=linked, sqlite_where=linked)
