"""The instance itself: its name and looks, what it refuses, background jobs, stored pictures."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from fediverse.tables.base import flag, instant, key, leased, metadata, words

# name, description, contact, colour, logo, rules; and, once federated, the frozen base_url and domain.
instance = Table(
    "instance",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", JSON, nullable=False),
)

host_blocks = Table(
    "host_blocks",
    metadata,
    Column("host", Text, primary_key=True),  # subdomains are meant too
    Column("id", BigInteger, nullable=False, unique=True),  # for clients, to page by
    words("severity"),  # block, limit, or none where only what follows matters
    flag("reject_media"),
    flag("reject_reports"),
    words("comment"),  # for moderators
    words("public_comment"),
    flag("obfuscate"),  # in public lists
    instant("created_at"),
)

audit_log = Table(
    "audit_log",
    metadata,
    key(),
    Column("person_id", BigInteger, ForeignKey("people.id", ondelete="SET NULL")),  # NULL: from the command line
    words("action"),
    words("target"),
    words("detail"),
    instant("created_at"),
)

# Work that is neither a received activity nor a delivery: spreading a post over many home timelines, fetching a
# parent, refreshing an actor.
jobs = Table(
    "jobs",
    metadata,
    key(),
    words("kind"),
    Column("payload", JSON, nullable=False),
    Column("unique_key", Text, unique=True),  # the same work is queued once
    *leased(),
)
Index("ix_jobs_due", jobs.c.due_at)

pictures = Table(
    "pictures",
    metadata,
    Column("storage_key", Text, primary_key=True),
    words("content_type"),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size", Integer, nullable=False),  # bytes
    words("blurhash"),
    instant("created_at"),
)
