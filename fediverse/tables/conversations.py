"""Direct conversations as each of those here who take part has them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, PrimaryKeyConstraint, Table, UniqueConstraint

from fediverse.tables.base import flag, key, metadata, words

# Within a thread, those who take part make the conversation: whoever is mentioned besides begins another one.
conversations = Table(
    "conversations",
    metadata,
    key(),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("thread_id", BigInteger, nullable=False),  # statuses.conversation_id
    words("participants"),  # the others' ids, sorted, with commas before, between and behind
    Column("last_status_id", BigInteger, nullable=False),
    flag("unread"),
    UniqueConstraint("thread_id", "actor_id", "participants"),
)
Index("ix_conversations_page", conversations.c.actor_id, conversations.c.last_status_id)
Index("ix_conversations_last", conversations.c.last_status_id)

conversation_statuses = Table(
    "conversation_statuses",
    metadata,
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("status_id", BigInteger, nullable=False, index=True),
    Column("conversation_id", BigInteger, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("actor_id", "status_id"),
)
Index("ix_conversation_statuses_newest", conversation_statuses.c.conversation_id, conversation_statuses.c.status_id)
