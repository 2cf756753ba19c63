"""Direct conversations; those that were had so far are found."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from fediverse import ids

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_DIRECT = 3


def upgrade() -> None:
    """Applies the change."""
    conversations = op.create_table(
        "conversations",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=False),
        sa.Column("participants", sa.Text(), server_default="", nullable=False),
        sa.Column("last_status_id", sa.BigInteger(), nullable=False),
        sa.Column("unread", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["actors.id"], name=op.f("fk_conversations_actor_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        sa.UniqueConstraint(
            "thread_id", "actor_id", "participants", name=op.f("uq_conversations_thread_id_actor_id_participants")
        ),
    )
    op.create_index("ix_conversations_page", "conversations", ["actor_id", "last_status_id"])
    op.create_index("ix_conversations_last", "conversations", ["last_status_id"])
    entries = op.create_table(
        "conversation_statuses",
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("status_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["actors.id"], name=op.f("fk_conversation_statuses_actor_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_conversation_statuses_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("actor_id", "status_id", name=op.f("pk_conversation_statuses")),
    )
    op.create_index(op.f("ix_conversation_statuses_status_id"), "conversation_statuses", ["status_id"])
    op.create_index("ix_conversation_statuses_newest", "conversation_statuses", ["conversation_id", "status_id"])
    _fill(op.get_bind(), conversations, entries)


def _fill(tx: sa.Connection, conversations: sa.Table, entries: sa.Table) -> None:
    """Each direct post is in the conversations of those here who wrote it or are mentioned."""
    statuses = sa.table(
        "statuses",
        sa.column("id", sa.BigInteger),
        sa.column("author_id", sa.BigInteger),
        sa.column("conversation_id", sa.BigInteger),
        sa.column("visibility", sa.SmallInteger),
        sa.column("mentions", sa.JSON),
        sa.column("deleted_at", sa.BigInteger),
    )
    actors = sa.table("actors", sa.column("id", sa.BigInteger), sa.column("host", sa.Text))
    here = set(tx.scalars(sa.select(actors.c.id).where(actors.c.host == "")))
    found: dict[tuple[int, int, str], dict[str, Any]] = {}
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    direct = sa.select(statuses).where(statuses.c.visibility == _DIRECT, statuses.c.deleted_at.is_(None))
    for status in tx.execute(direct.order_by(statuses.c.id)):
        members = {status.author_id} | {mention["id"] for mention in status.mentions}
        for actor_id in members & here:
            others = ",".join(str(one) for one in sorted(members - {actor_id}))
            key = (status.conversation_id, actor_id, f",{others}," if others else ",")
            conversation = found.setdefault(
                key,
                {
                    "id": ids.new_id(),
                    "actor_id": actor_id,
                    "thread_id": key[0],
                    "participants": key[2],
                    "unread": False,
                },
            )
            conversation["last_status_id"] = status.id
            rows[actor_id, status.id] = {
                "actor_id": actor_id,
                "status_id": status.id,
                "conversation_id": conversation["id"],
            }
    if found:
        tx.execute(sa.insert(conversations), list(found.values()))
        tx.execute(sa.insert(entries), list(rows.values()))
