"""Boosts: a post carried to the booster's own followers (Announce)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Connection, Row, bindparam, delete, select, update

from fediverse import events, ids, notifications, search, timelines
from fediverse.clock import Instant
from fediverse.db import Prepared
from fediverse.drafts import Visibility
from fediverse.errors import Forbidden, Invalid
from fediverse.statuses import publishing
from fediverse.tables.actors import actors
from fediverse.tables.statuses import statuses
from fediverse.urls import Urls
from fediverse.visibility import visible

_by, _status, _booster = (bindparam(name, type_=BigInteger) for name in ("by", "status", "booster"))
_INSERT = Prepared(lambda insert: insert(statuses).on_conflict_do_nothing().returning(*statuses.c))
_same = (statuses.c.boost_of_id == _status) & (statuses.c.author_id == _booster)
_EXISTING = select(statuses).where(_same)
_TAKE_BACK = delete(statuses).where(_same).returning(*statuses.c)
_COUNT_BOOST = (
    update(statuses)
    .where(statuses.c.id == _status)
    .values(boosts_count=statuses.c.boosts_count + _by, version=statuses.c.version + 1)
)
_COUNT_POST = (
    update(actors)
    .where(actors.c.id == _booster)
    .values(statuses_count=actors.c.statuses_count + _by, version=actors.c.version + 1)
)


def boost(
    tx: Connection,
    urls: Urls,
    actor: Row[Any],
    status: Row[Any],
    *,
    author: Row[Any],
    now: Instant,
    uri: str | None = None,
    visibility: Visibility = Visibility.PUBLIC,
) -> Row[Any]:
    """The actor's boost of ``status``, a status of its own; boosting again returns the first boost.

    ``uri`` is the Announce's id when a remote actor sent it. Raises Invalid for what is not public: only public and
    unlisted posts may be carried further, by anybody; Forbidden for a suspended booster.
    """
    if actor.suspended_at is not None:
        raise Forbidden("This account is suspended and cannot boost.")
    if status.boost_of_id is not None or not Visibility(status.visibility).is_public:
        raise Invalid("Only public posts can be boosted.")
    if not visible(tx, status, actor.id):
        raise Invalid("This post cannot be boosted.")
    values = {
        "id": ids.new_id(),
        "uri": uri,
        "author_id": actor.id,
        "local": uri is None,
        "kind": "Announce",
        "visibility": int(max(visibility, Visibility(status.visibility)) if uri is None else visibility),
        "boost_of_id": status.id,
        "conversation_id": status.conversation_id,
        "mentions": [],
        "tags": [],
        "emojis": [],
        "attachments": [],
        "created_at": now,
    }
    row = tx.execute(_INSERT(tx), values).first()
    if row is None:
        existing = tx.execute(_EXISTING, {"status": status.id, "booster": actor.id}).first()
        if existing is None:
            raise Invalid("This id already belongs to something else.")
        return existing
    _count(tx, actor.id, status.id, by=1)
    timelines.surface_boost(tx, row)
    if author.host == "" and author.id != actor.id:
        notifications.notify(tx, [author.id], kind="reblog", by=actor, status=status, now=now)
    if row.local:
        search.refresh(tx, [status.id])
        publishing.boosted(tx, urls, row, actor=actor, status=status, author=author, now=now)
    return row


def unboost(tx: Connection, urls: Urls, actor: Row[Any], status: Row[Any], *, author: Row[Any], now: Instant) -> bool:
    """The actor's boost of ``status`` is gone; False when there was none."""
    row = tx.execute(_TAKE_BACK, {"status": status.id, "booster": actor.id}).first()
    if row is None:
        return False
    _count(tx, actor.id, status.id, by=-1)
    notifications.retract(tx, kind="reblog", by_id=actor.id, status_id=status.id)
    events.after_commit(tx, events.Deleted(row.id))
    if row.local:
        search.refresh(tx, [status.id])
        publishing.unboosted(tx, urls, row, actor=actor, status=status, author=author, now=now)
    return True


def _count(tx: Connection, actor_id: int, status_id: int, *, by: int) -> None:
    tx.execute(_COUNT_BOOST, {"status": status_id, "by": by})
    tx.execute(_COUNT_POST, {"booster": actor_id, "by": by})
