"""What the viewer did with posts, in one query a page, and posts as the viewer sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    Select,
    bindparam,
    literal_column,
    select,
    union_all,
)

from fediverse.db import Dialect, id_list
from fediverse.entities import StatusView
from fediverse.quick import Quick
from fediverse.tables.filters import filter_versions
from fediverse.tables.statuses import bookmarks, conversation_mutes, favourites, pins
from fediverse.tables.statuses import statuses as posts

_me = bindparam("me", type_=BigInteger)


def _marks_query(sql: Dialect) -> CompoundSelect[Any, Any]:
    """What the viewer did with the statuses of a page, in one query."""

    def mark(name: str, found: ColumnElement[int], who: ColumnElement[int], given: str = "ids") -> Select[Any, Any]:
        return select(literal_column(f"'{name}'").label("mark"), found.label("id")).where(
            who == _me, sql.within(found, given)
        )

    return union_all(
        mark("favourite", favourites.c.status_id, favourites.c.actor_id),
        mark("bookmark", bookmarks.c.status_id, bookmarks.c.actor_id),
        mark("pin", pins.c.status_id, pins.c.actor_id),
        mark("boost", posts.c.boost_of_id, posts.c.author_id),
        mark("mute", conversation_mutes.c.conversation_id, conversation_mutes.c.actor_id, "conversations"),
        select(literal_column("'filters'"), filter_versions.c.version).where(filter_versions.c.actor_id == _me),
    )


_MARKS = Quick(_marks_query)

# What the viewer did, by kind of mark: the ids of statuses (of conversations, for mutes); the version of the viewer's
# filters, if there ever were any. Empty for nothing.
Marks = dict[str, set[int]]


def marks_of(tx: Connection, rows: Sequence[Row[Any]], viewer_id: int | None) -> Marks:
    """What the viewer did with the statuses, in one query."""
    marks: Marks = {"favourite": set(), "bookmark": set(), "pin": set(), "boost": set(), "mute": set()}
    if viewer_id is None:
        return {}
    values = {
        "me": viewer_id,
        "ids": id_list(tx, {row.id for row in rows}),
        "conversations": id_list(tx, {row.conversation_id for row in rows}),
    }
    found = _MARKS(tx, values)
    for mark, status_id in found:
        marks.setdefault(mark, set()).add(status_id)
    if len(found) == 1 and "filters" in marks:  # of its own; the statuses were not touched
        return {"filters": marks["filters"]}
    return marks if found else {}


def view_of(row: Row[Any], authors: dict[int, Row[Any]], marks: Marks) -> StatusView:
    """A post with its author and the viewer's marks."""
    author = authors[row.author_id]
    if len(marks) < 2:  # most posts of most pages were never touched by the viewer
        return StatusView(row, author)
    return StatusView(
        row,
        author,
        favourited=row.id in marks["favourite"],
        boosted=row.id in marks["boost"],
        bookmarked=row.id in marks["bookmark"],
        muted=row.conversation_id in marks["mute"],
        pinned=row.id in marks["pin"],
    )
