"""Who sees what where."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from fediverse.tables.base import count, instant, key, metadata, words

# One row per local actor and status in its home timeline. Rows of deleted statuses are passed over when reading.
home_entries = Table(
    "home_entries",
    metadata,
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("status_id", BigInteger, nullable=False),
    Column("author_id", BigInteger, nullable=False),  # who posted or boosted
    Column("subject_id", BigInteger, nullable=False),  # the boosted status, else the status itself
    PrimaryKeyConstraint("actor_id", "status_id"),
    sqlite_with_rowid=False,
)
Index("ix_home_entries_subject", home_entries.c.actor_id, home_entries.c.subject_id)

notifications = Table(
    "notifications",
    metadata,
    key(),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    words("kind"),  # mention, favourite, reblog, follow, follow_request, status, update, admin.report
    Column("from_actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("status_id", BigInteger, nullable=False, server_default="0"),  # 0: about no status
    Column("about_id", BigInteger, nullable=False, server_default="0"),  # a report; 0: nothing of that sort
    instant("created_at"),
    UniqueConstraint("actor_id", "kind", "from_actor_id", "status_id", "about_id"),
)
Index("ix_notifications_page", notifications.c.actor_id, notifications.c.id)
Index("ix_notifications_status", notifications.c.status_id)  # a post that is deleted is told of no more

markers = Table(
    "markers",
    metadata,
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("timeline", Text, nullable=False),  # home or notifications
    Column("last_read_id", BigInteger, nullable=False),
    count("version"),
    instant("updated_at"),
    PrimaryKeyConstraint("actor_id", "timeline"),
)
