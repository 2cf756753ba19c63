"""What is on its way to devices. Owner of the table ``pushes``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, Select, bindparam, exists, func, select, update

from fediverse import events, ids
from fediverse.clock import Instant
from fediverse.db import Dialect, Prepared, id_list
from fediverse.tables.access import oauth_tokens
from fediverse.tables.actors import actors, follows, people
from fediverse.tables.push import push_subscriptions as subscriptions
from fediverse.tables.push import pushes as table

# A device whose push service is away is told no more than this once it is back.
_WAITING: Final = 100
_by = bindparam("by", type_=BigInteger)


def _listening(sql: Dialect) -> Select[Any]:
    """The devices of these actors, with how the actors stand to the sender and how much is on its way already."""
    me = subscriptions.c.actor_id
    waiting = select(func.count()).where(table.c.subscription_id == subscriptions.c.id).scalar_subquery()
    return (
        select(
            subscriptions.c.id,
            me,
            subscriptions.c.alerts,
            subscriptions.c.policy,
            exists()
            .where(follows.c.follower_id == me, follows.c.followee_id == _by, follows.c.accepted)
            .label("followed"),
            exists()
            .where(follows.c.follower_id == _by, follows.c.followee_id == me, follows.c.accepted)
            .label("follower"),
        )
        .join(oauth_tokens, oauth_tokens.c.id == subscriptions.c.token_id)
        .where(sql.within(me, "ids"), oauth_tokens.c.revoked_at.is_(None), waiting < _WAITING)
    )


_LISTENING = Prepared(_listening)
_ENTER = Prepared(lambda insert: insert(table))


def enter(tx: Connection, told: Sequence[Row[Any]], *, now: Instant) -> None:
    """What these rows of ``notifications`` tell (of one kind and sender) goes to the devices that want to know."""
    if not told:
        return
    kind, by_id = told[0].kind, told[0].from_actor_id
    devices = tx.execute(_LISTENING(tx), {"ids": id_list(tx, [row.actor_id for row in told]), "by": by_id}).all()
    notification_ids = {row.actor_id: row.id for row in told}
    rows = [
        {
            "id": ids.new_id(),
            "subscription_id": device.id,
            "notification_id": notification_ids[device.actor_id],
            "created_at": now,
            "due_at": now,
        }
        for device in devices
        if kind in device.alerts and _wanted(device)
    ]
    if rows:
        tx.execute(_ENTER(tx), rows)
        events.after_commit(tx, events.Woken("pushes"))


def _wanted(device: Row[Any]) -> bool:
    return device.policy == "all" or (device.policy != "none" and bool(getattr(device, device.policy)))


def subscriptions_of(tx: Connection, subscription_ids: Sequence[int]) -> dict[int, Row[Any]]:
    """The subscriptions whose token, person and actor are still let in, by id, with the person's language."""
    statement = (
        select(subscriptions, people.c.locale)
        .join(oauth_tokens, oauth_tokens.c.id == subscriptions.c.token_id)
        .join(people, people.c.id == oauth_tokens.c.person_id)
        .join(actors, actors.c.id == subscriptions.c.actor_id)
        .where(
            subscriptions.c.id.in_(subscription_ids),
            oauth_tokens.c.revoked_at.is_(None),
            people.c.suspended_at.is_(None),
            people.c.approved_at.is_not(None),
            actors.c.suspended_at.is_(None),
            actors.c.deleted_at.is_(None),
        )
    )
    return {row.id: row for row in tx.execute(statement)}


_POSTPONE = (
    update(table)
    .where(table.c.id == bindparam("push", type_=BigInteger))
    .values(leased_until=None, due_at=bindparam("due", type_=BigInteger), last_error=bindparam("error"))
)


def postpone(tx: Connection, later: Sequence[tuple[int, Instant, str]]) -> None:
    """Each of these (id, instant, error) is free again and due then."""
    if later:
        tx.execute(_POSTPONE, [{"push": id_, "due": due, "error": error[:500]} for id_, due, error in later])
