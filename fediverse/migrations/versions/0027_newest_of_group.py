"""The newest notification of each group is marked, so that pages of groups need not look for it."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_PASSED = """
    UPDATE notifications SET newest = false
    WHERE group_key <> '' AND id < (
        SELECT max(later.id) FROM notifications AS later
        WHERE later.actor_id = notifications.actor_id
        AND later.group_key = notifications.group_key AND later.group_key <> ''
    )
"""


def upgrade() -> None:
    """Applies the change."""
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.add_column(sa.Column("newest", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.execute(_PASSED)
    op.create_index(
        "ix_notifications_newest",
        "notifications",
        ["actor_id", "id"],
        postgresql_where=sa.text("newest"),
        sqlite_where=sa.text("newest = 1"),
    )
