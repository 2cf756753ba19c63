"""Notifications have groups, and policies that keep some of them back."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# As new ones are grouped, but by fixed spans of 12 hours.
_GROUPED = """
    UPDATE notifications SET group_key = CASE kind
        WHEN 'follow' THEN 'follow-' || (created_at / 43200000 * 12)
        ELSE kind || '-' || status_id || '-' || (created_at / 43200000 * 12)
    END
    WHERE kind IN ('favourite', 'reblog', 'follow')
"""


def upgrade() -> None:
    """Applies the change."""
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.add_column(sa.Column("group_key", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("filtered", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(_GROUPED)
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.create_index(
            "ix_notifications_group",
            ["actor_id", "group_key", "id"],
            unique=False,
            postgresql_where=sa.text("group_key <> ''"),
            sqlite_where=sa.text("group_key <> ''"),
        )
        batch_op.create_index(
            "ix_notifications_filtered",
            ["actor_id", "from_actor_id"],
            unique=False,
            postgresql_where=sa.text("filtered"),
            sqlite_where=sa.text("filtered = 1"),
        )
    op.create_table(
        "notification_policies",
        sa.Column("actor_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("for_not_following", sa.Text(), server_default="", nullable=False),
        sa.Column("for_not_followers", sa.Text(), server_default="", nullable=False),
        sa.Column("for_new_accounts", sa.Text(), server_default="", nullable=False),
        sa.Column("for_private_mentions", sa.Text(), server_default="", nullable=False),
        sa.Column("for_limited_accounts", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["actors.id"], name=op.f("fk_notification_policies_actor_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("actor_id", name=op.f("pk_notification_policies")),
    )
    op.create_table(
        "notification_permissions",
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("from_actor_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["actors.id"], name=op.f("fk_notification_permissions_actor_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["from_actor_id"], ["actors.id"], name=op.f("fk_notification_permissions_from_actor_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("actor_id", "from_actor_id", name=op.f("pk_notification_permissions")),
    )
