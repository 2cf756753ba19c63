"""Web push: which devices are told, and what is on its way to them."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Table

from fediverse.tables.base import count, flag, instant, key, leased, metadata, words

push_subscriptions = Table(
    "push_subscriptions",
    metadata,
    key(),
    # One a token, and gone with it.
    Column("token_id", BigInteger, ForeignKey("oauth_tokens.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False, index=True),
    words("endpoint"),
    words("p256dh"),  # base64url, as all that is encoded here
    words("auth"),
    words("access_token"),  # sealed: it goes into what is encrypted for the device
    flag("standard"),  # RFC 8291, else the draft that apps of old speak
    Column("alerts", JSON, nullable=False),  # [kind of notification]
    words("policy"),  # all, followed, follower or none
    count("refusals"),  # answers in a row that say no to what was sent
    instant("created_at"),
)

# One row per notification and device until it is sent.
pushes = Table(
    "pushes",
    metadata,
    key(),
    Column(
        "subscription_id",
        BigInteger,
        ForeignKey("push_subscriptions.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("notification_id", BigInteger, nullable=False),
    instant("created_at"),
    *leased(),
)
Index("ix_pushes_due", pushes.c.due_at)
