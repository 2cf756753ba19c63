"""What helps people to find others: whom they do not want to be suggested."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, PrimaryKeyConstraint, Table

from fediverse.tables.base import instant, metadata

suggestion_dismissals = Table(
    "suggestion_dismissals",
    metadata,
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("target_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False, index=True),
    instant("created_at"),
    PrimaryKeyConstraint("actor_id", "target_id"),
)
