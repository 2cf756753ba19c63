"""What is shown beside rows: authors, boosted posts, the viewer's own marks. A fixed number of queries a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    literal_column,
    select,
    union_all,
)

from fediverse.entities import NotificationView, StatusView
from fediverse.site import Recent
from fediverse.tables.actors import actors
from fediverse.tables.statuses import bookmarks, conversation_mutes, favourites, pins
from fediverse.tables.statuses import statuses as statuses_table

# Rows by (id, version): whatever changes how a row shows changes its version too.
_known_actors = Recent(4096)
_known_statuses = Recent(8192)

_ids = bindparam("ids", expanding=True, type_=BigInteger)
_me = bindparam("me", type_=BigInteger)
_ACTORS = select(actors).where(actors.c.id.in_(_ids))
_ACTOR_VERSIONS = select(actors.c.id, actors.c.version).where(actors.c.id.in_(_ids))
_STATUS_VERSIONS = select(statuses_table.c.id, statuses_table.c.version).where(
    statuses_table.c.id.in_(_ids), statuses_table.c.deleted_at.is_(None)
)
_STATUSES = select(statuses_table).where(statuses_table.c.id.in_(_ids), statuses_table.c.deleted_at.is_(None))


def _mark(name: str, found: ColumnElement[int], *conditions: ColumnElement[bool]) -> Select[Any, Any]:
    return select(literal_column(f"'{name}'").label("mark"), found.label("id")).where(*conditions)


_conversations = bindparam("conversations", expanding=True, type_=BigInteger)
# What the viewer did with the statuses of a page, in one query.
_MARKS = union_all(
    *(
        _mark(name, table.c.status_id, table.c.actor_id == _me, table.c.status_id.in_(_ids))
        for name, table in (("favourite", favourites), ("bookmark", bookmarks), ("pin", pins))
    ),
    _mark(
        "boost", statuses_table.c.boost_of_id, statuses_table.c.boost_of_id.in_(_ids), statuses_table.c.author_id == _me
    ),
    _mark(
        "mute",
        conversation_mutes.c.conversation_id,
        conversation_mutes.c.actor_id == _me,
        conversation_mutes.c.conversation_id.in_(_conversations),
    ),
)


def accounts(tx: Connection, actor_ids: Iterable[int]) -> dict[int, Row[Any]]:
    """The actors, by id."""
    wanted = set(actor_ids)
    if not wanted:
        return {}
    heads = tx.execute(_ACTOR_VERSIONS, {"ids": list(wanted)}).all()
    return _whole(tx, heads, _ACTORS, _known_actors)


def in_order(tx: Connection, actor_ids: Sequence[int]) -> list[Row[Any]]:
    """The actors, in the order of the ids."""
    found = accounts(tx, actor_ids)
    return [found[actor_id] for actor_id in actor_ids if actor_id in found]


def statuses(tx: Connection, rows: Sequence[Row[Any]], viewer_id: int | None) -> list[StatusView]:
    """The rows with authors, boosted posts and the viewer's marks, in the same order.

    ``rows`` may be whole or just their heads (``tables.statuses.HEAD``). A boost of something that is gone is left out.
    """
    if not rows:
        return []
    if not hasattr(rows[0], "content"):
        rows = whole(tx, rows)
    boosted_ids = {row.boost_of_id for row in rows if row.boost_of_id is not None}
    boosted: dict[int, Row[Any]] = {}
    if boosted_ids:
        heads = tx.execute(_STATUS_VERSIONS, {"ids": list(boosted_ids)}).all()
        boosted = _whole(tx, heads, _STATUSES, _known_statuses)
    authors = accounts(tx, {row.author_id for row in rows} | {row.author_id for row in boosted.values()})
    marks = _marks(tx, [*rows, *boosted.values()], viewer_id)
    views = []
    for row in rows:
        inner = None
        if row.boost_of_id is not None:
            if row.boost_of_id not in boosted:
                continue
            inner = _view(boosted[row.boost_of_id], authors, marks)
        view = _view(row, authors, marks)
        view.boost = inner
        views.append(view)
    return views


def whole(tx: Connection, heads: Sequence[Row[Any]]) -> list[Row[Any]]:
    """The whole statuses behind a timeline's heads, in the same order."""
    found = _whole(tx, heads, _STATUSES, _known_statuses)
    return [found[head.id] for head in heads if head.id in found]


def status(tx: Connection, row: Row[Any], viewer_id: int | None) -> StatusView:
    """One row with what is shown beside it."""
    return statuses(tx, [row], viewer_id)[0]


def notifications(tx: Connection, rows: Sequence[Row[Any]], viewer_id: int) -> list[NotificationView]:
    """The notifications with who did it and the status that it is about."""
    about = {row.status_id for row in rows if row.status_id}
    found: dict[int, StatusView] = {}
    if about:
        heads = tx.execute(_STATUS_VERSIONS, {"ids": list(about)}).all()
        status_rows = list(_whole(tx, heads, _STATUSES, _known_statuses).values())
        found = {view.status.id: view for view in statuses(tx, status_rows, viewer_id)}
    senders = accounts(tx, {row.from_actor_id for row in rows})
    return [
        NotificationView(row, senders[row.from_actor_id], found.get(row.status_id))
        for row in rows
        if row.from_actor_id in senders and (not row.status_id or row.status_id in found)
    ]


def _whole(tx: Connection, heads: Sequence[Any], select_by_ids: Select[Any], known: Recent) -> dict[int, Row[Any]]:
    """The whole rows behind heads (id, version), by id; what was read before in that version is not read again."""
    rows: dict[int, Row[Any]] = {}
    missing = []
    for head in heads:
        row = known.get((head.id, head.version))
        if row is None:
            missing.append(head.id)
        else:
            rows[head.id] = row
    if missing:
        for row in tx.execute(select_by_ids, {"ids": missing}):
            rows[row.id] = row
            known.put((row.id, row.version), row)
    return rows


_Marks = dict[str, set[int]]


def _marks(tx: Connection, rows: Sequence[Row[Any]], viewer_id: int | None) -> _Marks:
    """What the viewer did with the statuses, in one query."""
    marks: _Marks = {"favourite": set(), "bookmark": set(), "pin": set(), "boost": set(), "mute": set()}
    if viewer_id is None:
        return marks
    values = {
        "me": viewer_id,
        "ids": list({row.id for row in rows}),
        "conversations": list({row.conversation_id for row in rows}),
    }
    for mark, status_id in tx.execute(_MARKS, values):
        marks[mark].add(status_id)
    return marks


def _view(row: Row[Any], authors: dict[int, Row[Any]], marks: _Marks) -> StatusView:
    return StatusView(
        row,
        authors[row.author_id],
        favourited=row.id in marks["favourite"],
        boosted=row.id in marks["boost"],
        bookmarked=row.id in marks["bookmark"],
        muted=row.conversation_id in marks["mute"],
        pinned=row.id in marks["pin"],
    )
