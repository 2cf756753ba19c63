"""Who sees what where."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    true,
)

from fediverse.tables.base import count, flag, instant, key, metadata, only, words

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
    words("kind"),  # notifications.Kind
    Column("from_actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("status_id", BigInteger, nullable=False, server_default="0"),  # 0: about no status
    Column("about_id", BigInteger, nullable=False, server_default="0"),  # a report, a warning, …; 0: about none
    words("group_key"),  # those with the same one are shown as one; empty for what stands alone
    Column("newest", Boolean, nullable=False, server_default=true()),  # of its group; what stands alone always is
    flag("filtered"),  # kept back by the recipient's policy until the sender is accepted
    instant("created_at"),
    UniqueConstraint("actor_id", "kind", "from_actor_id", "status_id", "about_id"),
)
Index("ix_notifications_page", notifications.c.actor_id, notifications.c.id)
Index("ix_notifications_status", notifications.c.status_id)  # a post that is deleted is told of no more
Index(
    "ix_notifications_group",
    notifications.c.actor_id,
    notifications.c.group_key,
    notifications.c.id,
    **only("group_key <> ''"),
)
Index("ix_notifications_newest", notifications.c.actor_id, notifications.c.id, **only("newest", "newest = 1"))
Index(
    "ix_notifications_filtered",
    notifications.c.actor_id,
    notifications.c.from_actor_id,
    **only("filtered", "filtered = 1"),
)

# What becomes of notifications by kind of sender: accept, filter or drop. No row: what policy.DEFAULT says.
notification_policies = Table(
    "notification_policies",
    metadata,
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    words("for_not_following"),
    words("for_not_followers"),
    words("for_new_accounts"),
    words("for_private_mentions"),
    words("for_limited_accounts"),
)

# Whose notifications an actor wants, whatever its policy says.
notification_permissions = Table(
    "notification_permissions",
    metadata,
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("from_actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    PrimaryKeyConstraint("actor_id", "from_actor_id"),
)

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
