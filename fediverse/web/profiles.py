"""The posts of a profile. For strangers, who are most of its readers, by statements that are built once.

What they select is what ``timelines.account`` selects; building that anew costs several times what running it does.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, not_, select

from fediverse import timelines
from fediverse.ids import MAX_ID
from fediverse.paging import Page
from fediverse.reactions import PINS_AT_MOST
from fediverse.tables.statuses import pins, statuses
from fediverse.visibility import shown_where, to_somebody_else

_OF_AUTHOR: Final = select(statuses).where(statuses.c.author_id == bindparam("author"), shown_where(None))
_PAGE: Final = (
    _OF_AUTHOR.where(statuses.c.id < bindparam("below")).order_by(statuses.c.id.desc()).limit(bindparam("limit"))
)
_PAGE_WITHOUT_REPLIES: Final[Select[Any]] = _PAGE.where(not_(to_somebody_else(statuses)))
_PINNED: Final = (
    _OF_AUTHOR.join(pins, pins.c.status_id == statuses.c.id)
    .where(pins.c.actor_id == bindparam("author"))
    .order_by(pins.c.id.desc())
    .limit(PINS_AT_MOST)
)


def posts(tx: Connection, author_id: int, page: Page, *, viewer_id: int | None, replies: bool) -> list[Row[Any]]:
    """A page, back in time, of what the author posted and boosted, as far as the viewer (None: anybody) may see it."""
    if viewer_id is not None:
        return timelines.account(tx, author_id, page, viewer_id=viewer_id, exclude_replies=not replies)
    below = page.max_id if page.max_id is not None else MAX_ID
    statement = _PAGE if replies else _PAGE_WITHOUT_REPLIES
    return list(tx.execute(statement, {"author": author_id, "below": below, "limit": page.limit}))


def pinned(tx: Connection, author_id: int, *, viewer_id: int | None) -> list[Row[Any]]:
    """The author's pinned posts, as far as the viewer may see them."""
    if viewer_id is not None:
        return timelines.account(tx, author_id, Page(PINS_AT_MOST), viewer_id=viewer_id, pinned=True)
    return list(tx.execute(_PINNED, {"author": author_id}))
