"""What somebody here is told: mentioned, boosted, liked, followed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    bindparam,
    cast,
    delete,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql

from fediverse import events, ids
from fediverse.clock import Instant
from fediverse.db import Prepared, insert
from fediverse.paging import Page, Shape
from fediverse.tables.actors import actors, blocks, follows, mutes
from fediverse.tables.relations import hidden_hosts
from fediverse.tables.statuses import conversation_mutes, statuses
from fediverse.tables.timelines import markers
from fediverse.tables.timelines import notifications as table
from fediverse.visibility import language_mark, wants_language

Kind = Literal["mention", "reblog", "favourite", "follow", "follow_request", "status", "update"]
# From the house, about something that is no status.
HouseKind = Literal["admin.report", "admin.sign_up"]


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
    if by.suspended_at is not None:
        return
    rows = [
        {
            "id": ids.new_id(),
            "recipient": recipient,
            "kind": kind,
            "by": by.id,
            "status": status.id if status is not None else 0,
            "conversation": status.conversation_id if status is not None else 0,
            "host": by.host,
            "now": now,
        }
        for recipient in recipient_ids
        if recipient != by.id
    ]
    if rows:
        tx.execute((_TELL if by.limited_at is None else _TELL_FOLLOWER)(tx), rows)
        # Who is not to be told has no row then: whoever listens looks.
        events.after_commit(tx, events.Notified(tuple((row["recipient"], row["id"]) for row in rows)))


def tell(
    tx: Connection, recipient_ids: Iterable[int], *, kind: HouseKind, by_id: int, about_id: int = 0, now: Instant
) -> None:
    """Each is told once about what moderators deal with, whomever they block or mute."""
    told = [(recipient, ids.new_id()) for recipient in recipient_ids]
    if not told:
        return
    same = {"kind": kind, "from_actor_id": by_id, "about_id": about_id, "created_at": now}
    rows = [{"id": id_, "actor_id": recipient, **same} for recipient, id_ in told]
    tx.execute(insert(tx, table).values(rows).on_conflict_do_nothing())
    events.after_commit(tx, events.Notified(tuple(told)))


def _big(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BigInteger)


def _tell(*further: ColumnElement[bool]) -> Prepared[postgresql.Insert]:
    """Tells the recipient, where the recipient welcomes it."""
    recipient = actors.c.id
    blocked = exists().where(blocks.c.actor_id == recipient, blocks.c.target_id == _big("by"))
    muted = exists().where(
        mutes.c.actor_id == recipient,
        mutes.c.target_id == _big("by"),
        mutes.c.notifications,
        or_(mutes.c.expires_at.is_(None), mutes.c.expires_at > _big("now")),
    )
    hidden = exists().where(hidden_hosts.c.actor_id == recipient, hidden_hosts.c.host == bindparam("host", type_=Text))
    conversation_muted = exists().where(
        conversation_mutes.c.actor_id == recipient, conversation_mutes.c.conversation_id == _big("conversation")
    )
    row = select(
        cast(_big("id"), BigInteger),
        recipient,
        cast(bindparam("kind", type_=Text), Text),
        cast(_big("by"), BigInteger),
        cast(_big("status"), BigInteger),
        cast(_big("now"), BigInteger),
    ).where(
        recipient == _big("recipient"),
        actors.c.host == "",
        actors.c.deleted_at.is_(None),
        ~blocked,
        ~muted,
        ~hidden,
        ~conversation_muted,
        *further,
    )
    columns = ["id", "actor_id", "kind", "from_actor_id", "status_id", "created_at"]
    return Prepared(lambda insert: insert(table).from_select(columns, row).on_conflict_do_nothing())


_TELL = _tell()
# Of limited actors only those hear who follow them.
_TELL_FOLLOWER = _tell(
    exists().where(follows.c.follower_id == actors.c.id, follows.c.followee_id == _big("by"), follows.c.accepted)
)


def notify_subscribers(tx: Connection, status: Row[Any], *, author: Row[Any], now: Instant) -> None:
    """Those who asked to be told of each post of the author are."""
    subscribers = tx.scalars(
        select(follows.c.follower_id).where(
            follows.c.followee_id == author.id,
            follows.c.follower_is_local,
            follows.c.accepted,
            follows.c.notify,
            wants_language(language_mark(status.language)),
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


def forget_host(tx: Connection, actor_id: int, host: str) -> None:
    """The actor is told nothing of anybody on the host any more."""
    there = select(actors.c.id).where(actors.c.host == host)
    tx.execute(delete(table).where(table.c.actor_id == actor_id, table.c.from_actor_id.in_(there)))


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
    conditions = (bool(kinds), bool(exclude), from_id is not None)
    values = {"me": actor_id, "kinds": list(kinds), "exclude": list(exclude), "from_id": from_id, **page.parameters}
    return page.newest_first(tx.execute(_page(conditions, page.shape), values).all())


@cache
def _page(conditions: tuple[bool, bool, bool], shape: Shape) -> Select[Any]:
    by_kind, without_kind, by_sender = conditions
    statement = select(table).where(table.c.actor_id == _big("me"), _sender_shows())
    if by_kind:
        statement = statement.where(table.c.kind.in_(bindparam("kinds", expanding=True)))
    if without_kind:
        statement = statement.where(table.c.kind.not_in(bindparam("exclude", expanding=True)))
    if by_sender:
        statement = statement.where(table.c.from_actor_id == _big("from_id"))
    return Page.bounded(statement, table.c.id, shape)


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
