"""What people report."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Table, Text, UniqueConstraint

from fediverse.tables.base import flag, instant, key, metadata, only, words


def _actor(name: str) -> Column[int]:
    return Column(name, BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False)


reports = Table(
    "reports",
    metadata,
    key(),
    _actor("actor_id"),  # who reports: somebody here, or whoever signed the Flag
    _actor("target_id"),
    Column("uri", Text),  # the Flag's id when it came from elsewhere
    words("category"),  # spam, legal, violation or other
    words("comment"),
    Column("status_ids", JSON, nullable=False),  # [id]
    Column("rule_ids", JSON, nullable=False),  # [number of the rule, from 1]
    flag("forwarded"),
    Column("assigned_to_id", BigInteger),  # an actor
    instant("action_taken_at", nullable=True),  # NULL while it is open
    Column("action_taken_by_id", BigInteger),  # an actor
    instant("created_at"),
    instant("updated_at"),
    UniqueConstraint("uri", "target_id"),
)
Index("ix_reports_actor", reports.c.actor_id, reports.c.id)
Index("ix_reports_target", reports.c.target_id, reports.c.id)
Index("ix_reports_open", reports.c.id, **only("action_taken_at IS NULL"))
