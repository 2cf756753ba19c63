"""What came in: stored before it is answered, applied later."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, Table, Text, UniqueConstraint

from fediverse.tables.base import instant, key, leased, metadata, only, words

received = Table(
    "received",
    metadata,
    key(),
    Column("signer_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    words("activity_key"),  # the activity's id when of the signer's origin, else a hash of the body
    words("type"),
    Column("body", LargeBinary),  # the bytes as they were signed; NULL once settled
    Column("outcome", Text),  # NULL while pending; else applied, ignored, refused or failed
    instant("received_at"),
    *leased(),
    UniqueConstraint("signer_id", "activity_key"),
)
Index(
    "ix_received_pending",
    received.c.due_at,
    received.c.id,
    **only("outcome IS NULL"),
)
Index("ix_received_age", received.c.received_at)
Index("ix_received_held", received.c.signer_id, received.c.leased_until, **only("leased_until IS NOT NULL"))
