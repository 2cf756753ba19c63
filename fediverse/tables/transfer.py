"""Lists of accounts and posts that people bring along from elsewhere, until they are taken in."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Table

from fediverse.tables.base import count, flag, instant, key, metadata, words

imports = Table(
    "imports",
    metadata,
    key(),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False, index=True),
    words("kind"),  # following, blocks, mutes, lists, bookmarks or domain_blocks
    flag("overwrite"),  # what is not in the file is removed first
    flag("pruned"),  # and has been
    count("total"),
    count("done"),
    count("failed"),
    instant("created_at"),
    instant("finished_at", nullable=True),
)

import_rows = Table(
    "import_rows",
    metadata,
    key(),
    Column("import_id", BigInteger, ForeignKey("imports.id", ondelete="CASCADE"), nullable=False),
    Column("data", JSON, nullable=False),  # as transfer.formats reads it
    words("problem"),  # why it could not be taken in; empty while it waits
)
Index("ix_import_rows_waiting", import_rows.c.import_id, import_rows.c.problem, import_rows.c.id)
