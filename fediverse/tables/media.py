"""Files of people here that belong to posts: pictures, videos and sounds."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Table, Text

from fediverse.tables.base import flag, instant, key, metadata, only, words

# A post repeats what it shows of them in its own row; this is who may attach, change and delete which file.
attachments = Table(
    "attachments",
    metadata,
    key(),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("status_id", BigInteger),  # NULL until it is posted
    Column("scheduled_id", BigInteger),  # kept for a post that is written and waits for its time
    words("kind"),  # image, gifv, video or audio
    words("state"),  # processing, ready or failed
    words("error"),  # what is wrong with the file, once it failed
    Column("plan", JSON, nullable=False),  # what was found out about a clip that is still to be converted
    Column("source_key", Text),  # the upload as it came, until it is converted
    Column("storage_key", Text, nullable=False, unique=True),
    Column("preview_key", Text, unique=True),
    words("description"),
    Column("blurhash", Text),
    Column("meta", JSON, nullable=False),  # drafts.MediaFacts
    flag("withheld"),  # shown to nobody: of a deleted post, until it is posted again
    instant("loose_since", nullable=True),  # since when no post has it; the sweeper counts from here
    instant("created_at"),
)
Index("ix_attachments_status", attachments.c.status_id, **only("status_id IS NOT NULL"))
Index("ix_attachments_loose", attachments.c.loose_since, **only("loose_since IS NOT NULL"))
