"""What somebody here is told: mentioned, boosted, liked, followed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, func, or_, select

from fediverse import ids
from fediverse.clock import Instant
from fediverse.db import insert
from fediverse.paging import Page
from fediverse.tables.actors import actors, blocks, follows, mutes
from fediverse.tables.statuses import conversation_mutes, statuses
from fediverse.tables.timelines import markers
from fediverse.tables.timelines import notifications as table

Kind = Literal["mention", "reblog", "favourite", "follow", "follow_request", "status", "update"]


def notify(
    tx: Connection,
    recipient_ids: Iterable[int],
    *,
    kind: Kind,
    by: Row[Any],
    now: Instant,
    status: Row[Any] | None = None,
) -> None:
    """Each local recipient is told once, unless they block or mute who did it, or have muted the conversation.

    A limited actor reaches only those who follow it.
    """
    wanted = [recipient for recipient in recipient_ids if recipient != by.id]
    if not wanted or by.suspended_at is not None:
        return
    told = tx.scalars(select(actors.c.id).where(actors.c.id.in_(wanted), _welcome(by, status, now))).all()
    if told:
        tx.execute(
            insert(tx, table).on_conflict_do_nothing(),
            [
                {
                    "id": ids.new_id(),
                    "actor_id": recipient,
                    "kind": kind,
                    "from_actor_id": by.id,
                    "status_id": status.id if status is not None else 0,
                    "created_at": now,
                }
                for recipient in told
            ],
        )


def _welcome(by: Row[Any], status: Row[Any] | None, now: Instant) -> ColumnElement[bool]:
    """The condition on the recipient (a row of ``actors``)."""
    recipient = actors.c.id
    blocked = exists().where(blocks.c.actor_id == recipient, blocks.c.target_id == by.id)
    muted = exists().where(
        mutes.c.actor_id == recipient,
        mutes.c.target_id == by.id,
        mutes.c.notifications,
        or_(mutes.c.expires_at.is_(None), mutes.c.expires_at > now),
    )
    conditions = [actors.c.host == "", actors.c.deleted_at.is_(None), ~blocked, ~muted]
    if status is not None:
        conditions.append(
            ~exists().where(
                conversation_mutes.c.actor_id == recipient,
                conversation_mutes.c.conversation_id == status.conversation_id,
            )
        )
    if by.limited_at is not None:
        conditions.append(
            exists().where(follows.c.follower_id == recipient, follows.c.followee_id == by.id, follows.c.accepted)
        )
    return and_(*conditions)


def notify_subscribers(tx: Connection, status: Row[Any], *, author: Row[Any], now: Instant) -> None:
    """Those who asked to be told of each post of the author are."""
    subscribers = tx.scalars(
        select(follows.c.follower_id).where(
            follows.c.followee_id == author.id, follows.c.follower_is_local, follows.c.accepted, follows.c.notify
        )
    ).all()
    notify(tx, subscribers, kind="status", by=author, status=status, now=now)


def retract(tx: Connection, *, kind: Kind, by_id: int, status_id: int = 0, actor_id: int | None = None) -> None:
    """What was taken back is no longer told."""
    statement = delete(table).where(
        table.c.kind == kind, table.c.from_actor_id == by_id, table.c.status_id == status_id
    )
    if actor_id is None:
        # Found by the recipient's index: whoever was told of a status is its author.
        author = select(statuses.c.author_id).where(statuses.c.id == status_id).scalar_subquery()
        statement = statement.where(table.c.actor_id == author)
    else:
        statement = statement.where(table.c.actor_id == actor_id)
    tx.execute(statement)


def forget_statuses(tx: Connection, status_ids: Sequence[int]) -> None:
    """Nobody is told of these statuses any more."""
    tx.execute(delete(table).where(table.c.status_id.in_(status_ids)))


def forget_between(tx: Connection, actor_id: int, other_id: int) -> None:
    """The actor is told nothing of the other any more, as after a block."""
    tx.execute(delete(table).where(table.c.actor_id == actor_id, table.c.from_actor_id == other_id))


def page(
    tx: Connection,
    actor_id: int,
    page: Page,
    *,
    kinds: Sequence[str] = (),
    exclude: Sequence[str] = (),
    from_id: int | None = None,
) -> list[Row[Any]]:
    """A page of what the actor was told, newest first."""
    statement = select(table).where(table.c.actor_id == actor_id, _sender_shows())
    if kinds:
        statement = statement.where(table.c.kind.in_(kinds))
    if exclude:
        statement = statement.where(table.c.kind.not_in(exclude))
    if from_id is not None:
        statement = statement.where(table.c.from_actor_id == from_id)
    return page.newest_first(tx.execute(page.select(statement, table.c.id)).all())


def get(tx: Connection, actor_id: int, notification_id: int) -> Row[Any] | None:
    """One notification of the actor's."""
    return tx.execute(
        select(table).where(table.c.id == notification_id, table.c.actor_id == actor_id, _sender_shows())
    ).first()


def unread_count(tx: Connection, actor_id: int, *, limit: int = 100) -> int:
    """How many notifications are newer than the marker, up to ``limit``."""
    read = select(markers.c.last_read_id).where(markers.c.actor_id == actor_id, markers.c.timeline == "notifications")
    newer = (
        select(table.c.id)
        .where(table.c.actor_id == actor_id, table.c.id > func.coalesce(read.scalar_subquery(), 0), _sender_shows())
        .limit(limit)
    )
    return tx.scalar(select(func.count()).select_from(newer.subquery())) or 0


def dismiss(tx: Connection, actor_id: int, notification_id: int) -> bool:
    """The notification is gone; False when it was none of the actor's."""
    return tx.execute(delete(table).where(table.c.id == notification_id, table.c.actor_id == actor_id)).rowcount > 0


def clear(tx: Connection, actor_id: int) -> None:
    """The actor has no notifications."""
    tx.execute(delete(table).where(table.c.actor_id == actor_id))


def get_markers(tx: Connection, actor_id: int) -> dict[str, Row[Any]]:
    """How far the actor has read, by timeline."""
    rows = tx.execute(select(markers).where(markers.c.actor_id == actor_id))
    return {row.timeline: row for row in rows}


def set_marker(tx: Connection, actor_id: int, timeline: str, last_read_id: int, *, now: Instant) -> Row[Any]:
    """The actor has read that far in ``home`` or ``notifications``; a marker never goes back."""
    statement = insert(tx, markers).values(
        actor_id=actor_id, timeline=timeline, last_read_id=last_read_id, version=1, updated_at=now
    )
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["actor_id", "timeline"],
            set_={"last_read_id": last_read_id, "version": markers.c.version + 1, "updated_at": now},
            where=markers.c.last_read_id < last_read_id,
        )
    )
    return get_markers(tx, actor_id)[timeline]


def _sender_shows() -> ColumnElement[bool]:
    return exists().where(
        actors.c.id == table.c.from_actor_id, actors.c.suspended_at.is_(None), actors.c.deleted_at.is_(None)
    )
