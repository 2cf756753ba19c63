"""What goes out: activities, their fan-out, deliveries, and what is known of the hosts they go to."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from fediverse.tables.base import count, flag, instant, key, leased, metadata, only, words

activities = Table(
    "activities",
    metadata,
    key(),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    words("type"),
    words("object_key"),  # what it is about: activities about one thing reach a host in order
    Column("document", LargeBinary, nullable=False),  # the JSON that is sent, byte for byte
    instant("expires_at"),  # no delivery is tried after this
    instant("created_at"),
)

# One row per activity until its deliveries are written.
fanouts = Table(
    "fanouts",
    metadata,
    key(),  # the activity's id
    words("object_key"),
    Column("audience", JSON, nullable=False),  # outbox.publish.Audience as a dict
    Column("cursor", BigInteger, nullable=False, server_default="0"),  # the last follow that was fanned out
    *leased(),
)
Index("ix_fanouts_due", fanouts.c.due_at)
Index("ix_fanouts_object", fanouts.c.object_key, fanouts.c.id)

# One row per activity and inbox until it is delivered; dead ones stay for an admin to see and replay.
deliveries = Table(
    "deliveries",
    metadata,
    key(),
    Column("activity_id", BigInteger, ForeignKey("activities.id", ondelete="CASCADE"), nullable=False),
    Column("actor_id", BigInteger, nullable=False),  # who signs
    words("host"),
    words("inbox"),
    words("object_key"),
    Column("priority", SmallInteger, nullable=False, server_default="1"),  # 0: mentioned; 1: follower
    count("refusals"),  # answers 401 or 403; tried late twice more
    flag("dead"),
    *leased(),
    UniqueConstraint("activity_id", "inbox"),
)
Index(
    "ix_deliveries_due",
    deliveries.c.host,
    deliveries.c.due_at,
    deliveries.c.priority,
    deliveries.c.id,
    **only("NOT dead", "dead = 0"),
)
Index("ix_deliveries_dead", deliveries.c.host, deliveries.c.inbox, **only("dead", "dead = 1"))
Index("ix_deliveries_object", deliveries.c.object_key, deliveries.c.host, deliveries.c.activity_id)

hosts = Table(
    "hosts",
    metadata,
    Column("host", Text, primary_key=True),
    words("dialect"),  # empty until known; cavage or rfc9421
    count("failures"),  # in a row
    instant("first_failure_at", nullable=True),  # of this row of failures
    instant("open_until", nullable=True),  # the circuit: nothing is sent before this
    count("opened"),  # how often in a row the circuit opened; its time doubles
    count("failing_days"),  # different days with failures and no success
    Column("last_failing_day", Text),
    instant("last_success_at", nullable=True),
    instant("dead_since", nullable=True),  # no new public deliveries; probed daily
)
