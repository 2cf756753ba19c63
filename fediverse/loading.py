"""What is shown beside rows: authors, boosted posts, the viewer's own marks. A fixed number of queries a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, literal, select, union_all

from fediverse.entities import NotificationView, StatusView
from fediverse.tables.actors import actors
from fediverse.tables.statuses import bookmarks, conversation_mutes, favourites, pins
from fediverse.tables.statuses import statuses as statuses_table


def accounts(tx: Connection, actor_ids: Iterable[int]) -> dict[int, Row[Any]]:
    """The actors, by id."""
    wanted = set(actor_ids)
    if not wanted:
        return {}
    return {row.id: row for row in tx.execute(select(actors).where(actors.c.id.in_(wanted)))}


def in_order(tx: Connection, actor_ids: Sequence[int]) -> list[Row[Any]]:
    """The actors, in the order of the ids."""
    found = accounts(tx, actor_ids)
    return [found[actor_id] for actor_id in actor_ids if actor_id in found]


def statuses(tx: Connection, rows: Sequence[Row[Any]], viewer_id: int | None) -> list[StatusView]:
    """The rows with authors, boosted posts and the viewer's marks, in the same order.

    A boost of something that is gone is left out.
    """
    if not rows:
        return []
    boosted_ids = {row.boost_of_id for row in rows if row.boost_of_id is not None}
    boosted: dict[int, Row[Any]] = {}
    if boosted_ids:
        boosted = {
            row.id: row
            for row in tx.execute(
                select(statuses_table).where(
                    statuses_table.c.id.in_(boosted_ids), statuses_table.c.deleted_at.is_(None)
                )
            )
        }
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


def status(tx: Connection, row: Row[Any], viewer_id: int | None) -> StatusView:
    """One row with what is shown beside it."""
    return statuses(tx, [row], viewer_id)[0]


def notifications(tx: Connection, rows: Sequence[Row[Any]], viewer_id: int) -> list[NotificationView]:
    """The notifications with who did it and the status that it is about."""
    about = {row.status_id for row in rows if row.status_id}
    found: dict[int, StatusView] = {}
    if about:
        status_rows = tx.execute(
            select(statuses_table).where(statuses_table.c.id.in_(about), statuses_table.c.deleted_at.is_(None))
        ).all()
        found = {view.status.id: view for view in statuses(tx, status_rows, viewer_id)}
    senders = accounts(tx, {row.from_actor_id for row in rows})
    return [
        NotificationView(row, senders[row.from_actor_id], found.get(row.status_id))
        for row in rows
        if row.from_actor_id in senders and (not row.status_id or row.status_id in found)
    ]


_Marks = dict[str, set[int]]


def _marks(tx: Connection, rows: Sequence[Row[Any]], viewer_id: int | None) -> _Marks:
    """What the viewer did with the statuses, in one query."""
    marks: _Marks = {"favourite": set(), "bookmark": set(), "pin": set(), "boost": set(), "mute": set()}
    if viewer_id is None:
        return marks
    ids = {row.id for row in rows}
    conversations = {row.conversation_id for row in rows}
    queries = [
        select(literal(name).label("mark"), table.c.status_id).where(
            table.c.actor_id == viewer_id, table.c.status_id.in_(ids)
        )
        for name, table in (("favourite", favourites), ("bookmark", bookmarks), ("pin", pins))
    ]
    queries.append(
        select(literal("boost").label("mark"), statuses_table.c.boost_of_id.label("status_id")).where(
            statuses_table.c.boost_of_id.in_(ids), statuses_table.c.author_id == viewer_id
        )
    )
    queries.append(
        select(literal("mute").label("mark"), conversation_mutes.c.conversation_id.label("status_id")).where(
            conversation_mutes.c.actor_id == viewer_id, conversation_mutes.c.conversation_id.in_(conversations)
        )
    )
    for mark, status_id in tx.execute(union_all(*queries)):
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
