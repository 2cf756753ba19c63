"""Hashtags that actors here follow, and those that they show on their profiles."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, UniqueConstraint

from fediverse.tables.base import instant, key, metadata, words

tag_follows = Table(
    "tag_follows",
    metadata,
    key(),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("tag_id", BigInteger, ForeignKey("tags.id", ondelete="CASCADE"), nullable=False),
    instant("created_at"),
    UniqueConstraint("actor_id", "tag_id"),
)
Index("ix_tag_follows_tag", tag_follows.c.tag_id, tag_follows.c.id)

featured_tags = Table(
    "featured_tags",
    metadata,
    key(),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("tag_id", BigInteger, ForeignKey("tags.id", ondelete="CASCADE"), nullable=False),
    words("name"),  # as the actor wrote it
    instant("created_at"),
    UniqueConstraint("actor_id", "tag_id"),
)
