"""What actors here do not want to see, or only behind a warning."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Table, UniqueConstraint, true

from fediverse.tables.base import count, instant, key, metadata, words

filters = Table(
    "filters",
    metadata,
    key(),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False, index=True),
    words("title"),
    Column("contexts", JSON, nullable=False),  # some of home, notifications, public, thread, account
    words("action"),  # warn, hide or blur
    instant("expires_at", nullable=True),
    instant("created_at"),
)

filter_keywords = Table(
    "filter_keywords",
    metadata,
    key(),
    Column("filter_id", BigInteger, ForeignKey("filters.id", ondelete="CASCADE"), nullable=False, index=True),
    words("keyword"),
    Column("whole_word", Boolean, nullable=False, server_default=true()),
)

filter_statuses = Table(
    "filter_statuses",
    metadata,
    key(),
    Column("filter_id", BigInteger, ForeignKey("filters.id", ondelete="CASCADE"), nullable=False),
    Column("status_id", BigInteger, nullable=False),
    UniqueConstraint("filter_id", "status_id"),
)

# Grows with every change of an actor's filters: what was made of them is kept by (actor_id, version).
filter_versions = Table(
    "filter_versions",
    metadata,
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    count("version"),
)
