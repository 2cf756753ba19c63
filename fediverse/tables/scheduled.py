"""Posts that wait for their time."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Table, Text, UniqueConstraint

from fediverse.tables.base import instant, key, metadata

scheduled_statuses = Table(
    "scheduled_statuses",
    metadata,
    key(),
    Column("author_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("params", JSON, nullable=False),  # scheduled.Params
    Column("idempotency_key", Text),
    instant("scheduled_at"),
    instant("created_at"),
    UniqueConstraint("author_id", "idempotency_key"),
)
Index("ix_scheduled_statuses_page", scheduled_statuses.c.author_id, scheduled_statuses.c.id)
