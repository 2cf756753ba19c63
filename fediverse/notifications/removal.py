"""What is told no longer: taken back, dismissed, or its sender or status is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, bindparam, delete, func, or_, select, update

from fediverse.notifications import policy
from fediverse.notifications.grouping import single_id
from fediverse.notifications.telling import Kind
from fediverse.tables.actors import actors
from fediverse.tables.statuses import statuses
from fediverse.tables.timelines import notification_permissions, notification_policies
from fediverse.tables.timelines import notifications as table

_FOR_MODERATORS: Final = ("admin.report", "admin.sign_up")
_left = table.alias("left")


def retract(tx: Connection, *, kind: Kind, by_id: int, status_id: int = 0, actor_id: int | None = None) -> None:
    """What was taken back is no longer told."""
    # Found by the recipient's index: whoever was told of a status is its author.
    author = select(statuses.c.author_id).where(statuses.c.id == status_id).scalar_subquery()
    _remove(
        tx,
        table.c.actor_id == (author if actor_id is None else actor_id),
        table.c.kind == kind,
        table.c.from_actor_id == by_id,
        table.c.status_id == status_id,
    )


def forget_statuses(tx: Connection, status_ids: Sequence[int] | Select[tuple[int]]) -> None:
    """Nobody is told of these statuses any more. Their groups go with them: each is about one status."""
    tx.execute(delete(table).where(table.c.status_id.in_(status_ids)))


def forget_between(tx: Connection, actor_id: int, other_id: int) -> None:
    """The actor is told nothing of the other any more, as after a block."""
    _remove(tx, table.c.actor_id == actor_id, table.c.from_actor_id == other_id)


def forget_host(tx: Connection, actor_id: int, host: str) -> None:
    """The actor is told nothing of anybody on the host any more."""
    there = select(actors.c.id).where(actors.c.host == host)
    _remove(tx, table.c.actor_id == actor_id, table.c.from_actor_id.in_(there))


def forget_actor(tx: Connection, actor_id: int) -> None:
    """The actor is told nothing any more, and nobody is told anything of it."""
    permissions = notification_permissions.c
    clear(tx, actor_id)
    _remove(tx, table.c.from_actor_id == actor_id)
    between = or_(permissions.actor_id == actor_id, permissions.from_actor_id == actor_id)
    tx.execute(delete(notification_permissions).where(between))
    tx.execute(delete(notification_policies).where(notification_policies.c.actor_id == actor_id))


def forget_house(tx: Connection, actor_ids: Sequence[int]) -> None:
    """The actors are told nothing any more that is for moderators."""
    tx.execute(delete(table).where(table.c.actor_id.in_(actor_ids), table.c.kind.in_(_FOR_MODERATORS)))


def dismiss(tx: Connection, actor_id: int, notification_id: int) -> bool:
    """The notification is gone; False when it was none of the actor's."""
    return _remove(tx, table.c.id == notification_id, table.c.actor_id == actor_id) > 0


def dismiss_group(tx: Connection, actor_id: int, group_key: str) -> None:
    """No notification of the actor's group is left."""
    single = single_id(group_key)
    if single is not None:
        dismiss(tx, actor_id, single)
        return
    tx.execute(
        delete(table).where(
            table.c.actor_id == actor_id, table.c.group_key == group_key, table.c.group_key != policy.NO_GROUP
        )
    )


def clear(tx: Connection, actor_id: int) -> None:
    """The actor has no notifications."""
    tx.execute(delete(table).where(table.c.actor_id == actor_id))


# Of what is left of a group the newest stands for it.
_PROMOTE = (
    update(table)
    .where(
        table.c.id
        == select(func.max(_left.c.id))
        .where(
            _left.c.actor_id == bindparam("actor", type_=BigInteger),
            _left.c.group_key == bindparam("key"),
            _left.c.group_key != policy.NO_GROUP,
        )
        .scalar_subquery()
    )
    .values(newest=True)
)


def _remove(tx: Connection, *which: ColumnElement[bool]) -> int:
    """The notifications are gone; how many."""
    gone = tx.execute(delete(table).where(*which).returning(table.c.actor_id, table.c.group_key, table.c.newest)).all()
    headless = {(row.actor_id, row.group_key) for row in gone if row.newest and row.group_key}
    if headless:
        tx.execute(_PROMOTE, [{"actor": actor_id, "key": key} for actor_id, key in sorted(headless)])
    return len(gone)
