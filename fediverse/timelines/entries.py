"""Which entries of a home timeline show when it is read: mutes, blocks and suspensions work at once, and backwards."""

from __future__ import annotations

from sqlalchemy import ColumnElement, FromClause, Select, and_, select

from fediverse.tables.actors import blocks
from fediverse.tables.lists import list_members, lists
from fediverse.visibility import muted_by, shows


def wanted_by(
    reader_id: ColumnElement[int], entries: FromClause, subject: FromClause, *, now: ColumnElement[int]
) -> ColumnElement[bool]:
    """Whether the reader wants to see an entry, whose post (the boosted one, of a boost) is a row of ``subject``."""
    hidden = muted_by(reader_id, now=now).union_all(
        select(blocks.c.target_id).where(blocks.c.actor_id == reader_id),
        # Of whoever blocks the reader nothing shows, not even in somebody else's boost.
        select(blocks.c.actor_id).where(blocks.c.target_id == reader_id),
    )
    return and_(
        subject.c.deleted_at.is_(None),
        entries.c.author_id.not_in(hidden),
        subject.c.author_id.not_in(hidden),
        shows(subject.c.author_id, viewer_id=reader_id),
        shows(entries.c.author_id, viewer_id=reader_id),
    )


def exclusively_listed(reader_id: ColumnElement[int]) -> Select[tuple[int]]:
    """Those whose posts the reader has on a list instead of at home."""
    return (
        select(list_members.c.actor_id)
        .join(lists, lists.c.id == list_members.c.list_id)
        .where(lists.c.actor_id == reader_id, lists.c.exclusive)
        .correlate_except(list_members, lists)
    )
