"""What people report, how moderators warned whom, and who cannot sign up or come in."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from fediverse.tables.base import count, flag, instant, key, metadata, only, words


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

# Every time that a moderator acted against an account, and what the person behind it was told.
account_warnings = Table(
    "account_warnings",
    metadata,
    key(),
    _actor("target_id"),
    Column("person_id", BigInteger, ForeignKey("people.id", ondelete="SET NULL")),  # the moderator
    Column("report_id", BigInteger),
    words("action"),  # none, disable, sensitive, silence or suspend
    words("text"),
    Column("status_ids", JSON, nullable=False),  # [id]
    instant("created_at"),
)
Index("ix_account_warnings_target", account_warnings.c.target_id, account_warnings.c.id)

# What somebody here lost when their relations with a whole server ended.
severances = Table(
    "severances",
    metadata,
    Column("event_id", BigInteger, nullable=False),
    _actor("actor_id"),
    words("kind"),  # domain_block
    words("target_name"),
    count("followers_count"),
    count("following_count"),
    instant("created_at"),
    PrimaryKeyConstraint("event_id", "actor_id"),
)

ip_blocks = Table(
    "ip_blocks",
    metadata,
    key(),
    words("network", unique=True),  # CIDR
    words("severity"),  # sign_up_requires_approval, sign_up_block or no_access
    words("comment"),
    instant("created_at"),
    instant("expires_at", nullable=True),
)

# Mailboxes on these domains and their subdomains sign nobody up.
email_domain_blocks = Table(
    "email_domain_blocks",
    metadata,
    key(),
    words("domain", unique=True),
    instant("created_at"),
)

# Attempts of the last week to sign up all the same.
refused_sign_ups = Table(
    "refused_sign_ups",
    metadata,
    key(),
    Column("block_id", BigInteger, ForeignKey("email_domain_blocks.id", ondelete="CASCADE"), nullable=False),
    words("address"),
    instant("created_at"),
)
Index("ix_refused_sign_ups_block", refused_sign_ups.c.block_id, refused_sign_ups.c.created_at)

# Single mailboxes that sign nobody up, however they are spelt.
canonical_email_blocks = Table(
    "canonical_email_blocks",
    metadata,
    key(),
    words("email_hash", unique=True),  # SHA-256 of the canonical spelling, in hexadecimal digits
    instant("created_at"),
)
