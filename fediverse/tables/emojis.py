"""Pictures that stand for a word between colons: this instance's own."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from fediverse.tables.base import instant, key, metadata, words

custom_emojis = Table(
    "custom_emojis",
    metadata,
    key(),
    words("shortcode", unique=True),  # without colons
    Column("picture", Text, nullable=False),  # storage keys; of what does not move they are the same
    Column("still", Text, nullable=False),
    words("category"),
    instant("created_at"),
)
