"""What is told no longer: taken back, dismissed, or its sender or status is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, Select, delete, or_, select

from fediverse.notifications import policy
from fediverse.notifications.telling import Kind
from fediverse.tables.actors import actors
from fediverse.tables.statuses import statuses
from fediverse.tables.timelines import notification_permissions, notification_policies
from fediverse.tables.timelines import notifications as table

_FOR_MODERATORS: Final = ("admin.report", "admin.sign_up")


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


def forget_statuses(tx: Connection, status_ids: Sequence[int] | Select[tuple[int]]) -> None:
    """Nobody is told of these statuses any more."""
    tx.execute(delete(table).where(table.c.status_id.in_(status_ids)))


def forget_between(tx: Connection, actor_id: int, other_id: int) -> None:
    """The actor is told nothing of the other any more, as after a block."""
    tx.execute(delete(table).where(table.c.actor_id == actor_id, table.c.from_actor_id == other_id))


def forget_host(tx: Connection, actor_id: int, host: str) -> None:
    """The actor is told nothing of anybody on the host any more."""
    there = select(actors.c.id).where(actors.c.host == host)
    tx.execute(delete(table).where(table.c.actor_id == actor_id, table.c.from_actor_id.in_(there)))


def forget_actor(tx: Connection, actor_id: int) -> None:
    """The actor is told nothing any more, and nobody is told anything of it."""
    for between in (table, notification_permissions):
        tx.execute(delete(between).where(or_(between.c.actor_id == actor_id, between.c.from_actor_id == actor_id)))
    tx.execute(delete(notification_policies).where(notification_policies.c.actor_id == actor_id))


def forget_house(tx: Connection, actor_ids: Sequence[int]) -> None:
    """The actors are told nothing any more that is for moderators."""
    tx.execute(delete(table).where(table.c.actor_id.in_(actor_ids), table.c.kind.in_(_FOR_MODERATORS)))


def dismiss(tx: Connection, actor_id: int, notification_id: int) -> bool:
    """The notification is gone; False when it was none of the actor's."""
    return tx.execute(delete(table).where(table.c.id == notification_id, table.c.actor_id == actor_id)).rowcount > 0


def dismiss_group(tx: Connection, actor_id: int, group_key: str) -> None:
    """No notification of the actor's group is left."""
    tx.execute(
        delete(table).where(
            table.c.actor_id == actor_id, table.c.group_key == group_key, table.c.group_key != policy.NO_GROUP
        )
    )


def clear(tx: Connection, actor_id: int) -> None:
    """The actor has no notifications."""
    tx.execute(delete(table).where(table.c.actor_id == actor_id))
