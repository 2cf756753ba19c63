"""Reports, and notifications about them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the change."""
    op.create_table(
        "reports",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), server_default="", nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("status_ids", sa.JSON(), nullable=False),
        sa.Column("rule_ids", sa.JSON(), nullable=False),
        sa.Column("forwarded", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("assigned_to_id", sa.BigInteger(), nullable=True),
        sa.Column("action_taken_at", sa.BigInteger(), nullable=True),
        sa.Column("action_taken_by_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name=op.f("fk_reports_actor_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["target_id"], ["actors.id"], name=op.f("fk_reports_target_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
        sa.UniqueConstraint("uri", "target_id", name=op.f("uq_reports_uri_target_id")),
    )
    op.create_index("ix_reports_actor", "reports", ["actor_id", "id"])
    op.create_index("ix_reports_target", "reports", ["target_id", "id"])
    unsettled = sa.text("action_taken_at IS NULL")
    op.create_index("ix_reports_open", "reports", ["id"], postgresql_where=unsettled, sqlite_where=unsettled)
    with op.batch_alter_table("notifications") as batch:
        batch.add_column(sa.Column("about_id", sa.BigInteger(), server_default="0", nullable=False))
        batch.drop_constraint("uq_notifications_actor_id_kind_from_actor_id_status_id", type_="unique")
        batch.create_unique_constraint(
            "uq_notifications_actor_id_kind_from_actor_id_status_id_about_id",
            ["actor_id", "kind", "from_actor_id", "status_id", "about_id"],
        )
