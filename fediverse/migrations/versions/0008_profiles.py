"""Profiles: descriptions of the pictures, which tabs show, who may name the actor as author."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change."""
    for name in ("avatar_description", "header_description"):
        op.add_column("actors", sa.Column(name, sa.Text(), server_default="", nullable=False))
    for name in ("show_media", "show_media_replies", "show_featured"):
        op.add_column("actors", sa.Column(name, sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("actors", sa.Column("attribution_domains", sa.JSON(), server_default="[]", nullable=False))
