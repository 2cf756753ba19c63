"""What is talked about just now, and what of it moderators allowed or refused to show."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Integer, PrimaryKeyConstraint, Table, Text

from fediverse.tables.base import instant, metadata


def _what() -> tuple[Column[str], Column[int]]:
    """``tag``, ``status`` or ``link``, and the id of the tag, the status or the card."""
    return Column("kind", Text, nullable=False), Column("subject_id", BigInteger, nullable=False)


# Written anew by a job.
trends = Table(
    "trends",
    metadata,
    *_what(),
    Column("score", Float, nullable=False),
    Column("accounts", Integer, nullable=False),  # distinct, as they count: few of one server
    Column("history", JSON, nullable=False),  # [[day, uses, accounts]], today first
    instant("computed_at"),
    PrimaryKeyConstraint("kind", "subject_id"),
)

trend_reviews = Table(
    "trend_reviews",
    metadata,
    *_what(),
    Column("allowed", Boolean, nullable=False),
    instant("reviewed_at"),
    PrimaryKeyConstraint("kind", "subject_id"),
)
