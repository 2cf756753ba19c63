"""What pages say of themselves that posts link to."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text

from fediverse.tables.base import count, instant, key, metadata, words

# One row for each address, shared by all posts that link to it first.
cards = Table(
    "cards",
    metadata,
    key(),
    words("url", unique=True),  # as it is fetched
    words("kind"),  # link or photo; empty while there is nothing to show
    words("link"),  # where it leads: the address, or the page's own name for it on the same host
    words("title"),
    words("description"),
    words("language"),
    words("author_name"),
    words("author_url"),
    words("provider_name"),
    words("provider_url"),
    Column("image", Text),  # on its own server; shown through the proxy only
    words("image_description"),
    Column("width", Integer),
    Column("height", Integer),
    instant("published_at", nullable=True),
    instant("fetched_at", nullable=True),  # when it was last tried
    count("failures"),  # in a row
    count("version"),
    Index("ix_cards_link", "link"),
)
