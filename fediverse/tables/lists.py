"""Lists: some of those whom an actor here follows, to be read by themselves."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Table, UniqueConstraint

from fediverse.tables.base import flag, instant, key, metadata, words

lists = Table(
    "lists",
    metadata,
    key(),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False, index=True),
    words("title"),
    words("replies_policy"),  # whose answered posts show: followed, list or none
    flag("exclusive"),  # whether its members leave the home timeline
    instant("created_at"),
)

list_members = Table(
    "list_members",
    metadata,
    key(),
    Column("list_id", BigInteger, ForeignKey("lists.id", ondelete="CASCADE"), nullable=False),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False, index=True),
    UniqueConstraint("list_id", "actor_id"),
)
