"""What those who run the instance tell everybody here, who has read it, and how they react."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from fediverse.tables.base import flag, instant, key, metadata, words


def _announcement() -> Column[int]:
    return Column(
        "announcement_id", BigInteger, ForeignKey("announcements.id", ondelete="CASCADE"), nullable=False, index=True
    )


def _actor() -> Column[int]:
    return Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False)


announcements = Table(
    "announcements",
    metadata,
    key(),
    words("text"),  # as it was typed
    # What it is about; it is not shown any more once that has ended.
    instant("starts_at", nullable=True),
    instant("ends_at", nullable=True),
    flag("all_day"),
    instant("published_at"),
    instant("updated_at"),
)

announcement_reads = Table(
    "announcement_reads",
    metadata,
    _actor(),
    _announcement(),
    instant("created_at"),
    PrimaryKeyConstraint("actor_id", "announcement_id"),
)

announcement_reactions = Table(
    "announcement_reactions",
    metadata,
    key(),
    _actor(),
    _announcement(),
    Column("name", Text, nullable=False),  # an emoji
    UniqueConstraint("actor_id", "announcement_id", "name"),
)
