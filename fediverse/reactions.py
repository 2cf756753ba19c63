"""What people do with a status short of answering it: like, bookmark, pin, mute its conversation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, Connection, Insert, Row, Table, bindparam, delete, func, select, update

from fediverse import ids, notifications, search
from fediverse.clock import Instant
from fediverse.db import Dialect, Prepared, insert
from fediverse.drafts import Visibility
from fediverse.errors import Forbidden, Invalid
from fediverse.outbox import activities
from fediverse.outbox.publish import Audience, publish
from fediverse.paging import Page
from fediverse.statuses.lookup import uri_of
from fediverse.tables.actors import actors
from fediverse.tables.statuses import bookmarks, conversation_mutes, favourites, pins, statuses
from fediverse.urls import Urls
from fediverse.visibility import visible, visible_where

PINS_AT_MOST = 5

_by = bindparam("by", type_=BigInteger)


def _build_add(table: Table, sql: Dialect) -> Insert:
    return sql(table).on_conflict_do_nothing().returning(table.c.id)


_ADD = {table: Prepared(partial(_build_add, table)) for table in (favourites, bookmarks, pins)}
_TAKE_BACK = (
    delete(favourites)
    .where(favourites.c.actor_id == _by, favourites.c.status_id == bindparam("status", type_=BigInteger))
    .returning(favourites.c.id)
)
_COUNT = (
    update(statuses)
    .where(statuses.c.id == bindparam("status", type_=BigInteger))
    .values(favourites_count=statuses.c.favourites_count + _by, version=statuses.c.version + 1)
)


def favourite(
    tx: Connection,
    urls: Urls,
    actor: Row[Any],
    status: Row[Any],
    *,
    author: Row[Any],
    now: Instant,
    uri: str | None = None,
) -> bool:
    """The actor likes the status; False when it did already.

    ``uri`` is the Like's id when a remote actor sent it. Raises Forbidden when the actor may not see the status.
    """
    if actor.suspended_at is not None or not visible(tx, status, actor.id):
        raise Forbidden("You may not like this post.")
    favourite_id = _add(tx, favourites, actor, status, now=now, uri=uri)
    if favourite_id is None:
        return False
    _count(tx, status.id, by=1)
    if author.host == "":
        notifications.notify(tx, [author.id], kind="favourite", by=actor, status=status, now=now)
    if actor.host == "":
        search.refresh(tx, [status.id])
    if actor.host == "" and author.host != "":
        _send_like(tx, _like(urls, actor, status, author, favourite_id), actor, status, author, now=now)
    return True


def unfavourite(
    tx: Connection, urls: Urls, actor: Row[Any], status: Row[Any], *, author: Row[Any], now: Instant
) -> bool:
    """The actor does not like the status any more; False when it did not."""
    row = tx.execute(_TAKE_BACK, {"by": actor.id, "status": status.id}).first()
    if row is None:
        return False
    _count(tx, status.id, by=-1)
    notifications.retract(tx, kind="favourite", by_id=actor.id, status_id=status.id)
    if actor.host == "":
        search.refresh(tx, [status.id])
    if actor.host == "" and author.host != "":
        like = _like(urls, actor, status, author, row.id)
        undo = activities.undo(urls, like, username=actor.username, undo_id=ids.new_id(), published=now)
        _send_like(tx, undo, actor, status, author, now=now)
    return True


def bookmark(tx: Connection, actor: Row[Any], status: Row[Any], *, now: Instant) -> None:
    """The status is among the actor's bookmarks, which nobody else sees."""
    if _add(tx, bookmarks, actor, status, now=now):
        search.refresh(tx, [status.id])


def unbookmark(tx: Connection, actor: Row[Any], status: Row[Any]) -> None:
    """The status is not among the actor's bookmarks."""
    gone = delete(bookmarks).where(bookmarks.c.actor_id == actor.id, bookmarks.c.status_id == status.id)
    if tx.execute(gone).rowcount:
        search.refresh(tx, [status.id])


def pin(tx: Connection, urls: Urls, actor: Row[Any], status: Row[Any], *, now: Instant) -> None:
    """The status heads the actor's profile, and is in its featured collection.

    Raises Invalid for somebody else's post, a boost, a direct post, and for one pin too many.
    """
    if status.author_id != actor.id or status.boost_of_id is not None:
        raise Invalid("Only your own posts can be pinned.")
    if status.visibility == Visibility.DIRECT:
        raise Invalid("Direct posts cannot be pinned.")
    others = select(func.count()).where(pins.c.actor_id == actor.id, pins.c.status_id != status.id)
    if (tx.scalar(others) or 0) >= PINS_AT_MOST:
        raise Invalid(f"You have pinned {PINS_AT_MOST} posts already: unpin one first.")
    if _add(tx, pins, actor, status, now=now) and Visibility(status.visibility).is_public:
        _send_featured(tx, activities.add, urls, actor, status, now=now)


def unpin(tx: Connection, urls: Urls, actor: Row[Any], status: Row[Any], *, now: Instant) -> None:
    """The status is pinned no longer."""
    gone = tx.execute(delete(pins).where(pins.c.actor_id == actor.id, pins.c.status_id == status.id)).rowcount
    if gone and Visibility(status.visibility).is_public:
        _send_featured(tx, activities.remove, urls, actor, status, now=now)


def set_remote_pins(tx: Connection, actor: Row[Any], status_ids: Sequence[int], *, now: Instant) -> None:
    """A remote actor's featured posts are exactly these, of its own ones, the first foremost."""
    own = tx.scalars(
        select(statuses.c.id).where(statuses.c.id.in_(list(status_ids)), statuses.c.author_id == actor.id)
    ).all()
    tx.execute(delete(pins).where(pins.c.actor_id == actor.id))
    rows = [
        {"id": ids.new_id(), "actor_id": actor.id, "status_id": status_id, "created_at": now}
        for status_id in reversed(list(dict.fromkeys(status_ids)))
        if status_id in own
    ]
    if rows:
        tx.execute(insert(tx, pins).on_conflict_do_nothing(), rows)


def mute_conversation(tx: Connection, actor: Row[Any], status: Row[Any]) -> None:
    """The actor is told nothing more of the status's conversation."""
    tx.execute(
        insert(tx, conversation_mutes)
        .values(actor_id=actor.id, conversation_id=status.conversation_id)
        .on_conflict_do_nothing()
    )


def unmute_conversation(tx: Connection, actor: Row[Any], status: Row[Any]) -> None:
    """The actor is told of the status's conversation again."""
    tx.execute(
        delete(conversation_mutes).where(
            conversation_mutes.c.actor_id == actor.id,
            conversation_mutes.c.conversation_id == status.conversation_id,
        )
    )


def favourites_page(tx: Connection, actor_id: int, page: Page) -> list[tuple[int, Row[Any]]]:
    """(paging id, status) of what the actor liked, the latest first, as far as it may still see it."""
    return _marked_page(tx, favourites, actor_id, page)


def bookmarks_page(tx: Connection, actor_id: int, page: Page) -> list[tuple[int, Row[Any]]]:
    """(paging id, status) of the actor's bookmarks, the latest first, as far as it may still see them."""
    return _marked_page(tx, bookmarks, actor_id, page)


def favourited_by(tx: Connection, status_id: int, page: Page) -> list[tuple[int, int]]:
    """(paging id, actor id) of those who like the status, the latest first."""
    statement = (
        select(favourites.c.id, favourites.c.actor_id)
        .join(actors, actors.c.id == favourites.c.actor_id)
        .where(favourites.c.status_id == status_id, actors.c.suspended_at.is_(None), actors.c.deleted_at.is_(None))
    )
    rows = tx.execute(page.select(statement, favourites.c.id)).all()
    return page.newest_first([(row.id, row.actor_id) for row in rows])


def boosted_by(tx: Connection, status_id: int, page: Page) -> list[tuple[int, int]]:
    """(paging id, actor id) of those who boosted the status, the latest first."""
    statement = (
        select(statuses.c.id, statuses.c.author_id)
        .join(actors, actors.c.id == statuses.c.author_id)
        .where(
            statuses.c.boost_of_id == status_id,
            statuses.c.visibility <= Visibility.UNLISTED,
            actors.c.suspended_at.is_(None),
            actors.c.deleted_at.is_(None),
        )
    )
    rows = tx.execute(page.select(statement, statuses.c.id)).all()
    return page.newest_first([(row.id, row.author_id) for row in rows])


def _marked_page(tx: Connection, table: Table, actor_id: int, page: Page) -> list[tuple[int, Row[Any]]]:
    statement = (
        select(table.c.id.label("mark_id"), statuses)
        .join(statuses, statuses.c.id == table.c.status_id)
        .where(table.c.actor_id == actor_id, visible_where(actor_id))
    )
    rows = tx.execute(page.select(statement, table.c.id)).all()
    return page.newest_first([(row.mark_id, row) for row in rows])


def _add(
    tx: Connection, table: Table, actor: Row[Any], status: Row[Any], *, now: Instant, uri: str | None = None
) -> int | None:
    """The new row's id; None when the mark was there already."""
    values = {"id": ids.new_id(), "actor_id": actor.id, "status_id": status.id, "created_at": now}
    if uri is not None:
        values["uri"] = uri
    return tx.execute(_ADD[table](tx), values).scalar()


def _count(tx: Connection, status_id: int, *, by: int) -> None:
    tx.execute(_COUNT, {"status": status_id, "by": by})


def _like(urls: Urls, actor: Row[Any], status: Row[Any], author: Row[Any], favourite_id: int) -> dict[str, Any]:
    """The Like; made anew for its Undo, so that both carry one id, while liking again has another."""
    object_uri = uri_of(urls, status, author)
    return activities.like(urls, actor.username, favourite_id, object_uri=object_uri, author_uri=author.uri)


def _send_like(
    tx: Connection, activity: dict[str, Any], actor: Row[Any], status: Row[Any], author: Row[Any], *, now: Instant
) -> None:
    publish(
        tx,
        actor_id=actor.id,
        activity=activity,
        object_key=f"like:{actor.id}:{status.id}",
        audience=Audience(actors=(author.id,)),
        now=now,
    )


def _send_featured(tx: Connection, build: Any, urls: Urls, actor: Row[Any], status: Row[Any], *, now: Instant) -> None:
    activity = build(urls, actor.username, urls.status(actor.username, status.id), activity_id=ids.new_id())
    publish(
        tx,
        actor_id=actor.id,
        activity=activity,
        object_key=urls.featured(actor.username),
        audience=Audience(followers=True),
        now=now,
    )
