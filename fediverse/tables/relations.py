"""What one actor here keeps about others, seen by nobody else unless it says so: notes, endorsements, hidden hosts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from fediverse.tables.base import instant, key, metadata, words


def _actor(name: str, *, index: bool = False) -> Column[int]:
    return Column(name, BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False, index=index)


account_notes = Table(
    "account_notes",
    metadata,
    _actor("actor_id"),
    _actor("target_id", index=True),
    words("comment"),
    instant("updated_at"),
    PrimaryKeyConstraint("actor_id", "target_id"),
)

endorsements = Table(
    "endorsements",
    metadata,
    key(),
    _actor("actor_id"),
    _actor("target_id", index=True),
    instant("created_at"),
    UniqueConstraint("actor_id", "target_id"),
)

# Hosts that an actor wants to have nothing to do with, itself alone: the instance's own are in host_blocks.
hidden_hosts = Table(
    "hidden_hosts",
    metadata,
    key(),
    _actor("actor_id"),
    Column("host", Text, nullable=False, index=True),  # as in actors
    instant("created_at"),
    UniqueConstraint("actor_id", "host"),
)
