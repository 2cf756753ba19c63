"""Whom to follow: the directory of those who want to be found, and suggestions for one account.

Owner of the table ``suggestion_dismissals``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, and_, bindparam, exists, func, or_, select

from fediverse.clock import Instant
from fediverse.db import insert
from fediverse.tables.actors import INSTANCE_ACTOR_ID, actors, blocks, follows
from fediverse.tables.discovery import suggestion_dismissals
from fediverse.tables.relations import hidden_hosts
from fediverse.visibility import muted_by

Source = Literal["friends_of_friends", "most_followed"]

#: Friends of so many of those whom an account followed last are looked at.
_FRIENDS: Final = 200

_me = bindparam("me", type_=BigInteger)
_now = bindparam("now", type_=BigInteger)
_FOUND_OPENLY = (
    actors.c.discoverable,
    actors.c.suspended_at.is_(None),
    actors.c.limited_at.is_(None),
    actors.c.deleted_at.is_(None),
    actors.c.moved_to_id.is_(None),
    actors.c.id != INSTANCE_ACTOR_ID,
)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An account that somebody may want to follow, and why."""

    actor: Row[Any]
    sources: tuple[Source, ...]


def directory(
    tx: Connection,
    *,
    order: Literal["active", "new"],
    local: bool,
    limit: int,
    offset: int,
    viewer_id: int | None,
    now: Instant,
) -> Sequence[Row[Any]]:
    """The accounts that want to be found: those who posted last, or who are known here for the shortest time, first.

    A viewer does not find whom it hides or who hides from it.
    """
    statement = select(actors).where(*_FOUND_OPENLY)
    if local:
        statement = statement.where(actors.c.host == "")
    if viewer_id is not None:
        statement = statement.where(_not_hidden())
    if order == "active":
        statement = statement.where(actors.c.last_status_at.is_not(None))
        statement = statement.order_by(actors.c.last_status_at.desc(), actors.c.id.desc())
    else:
        statement = statement.order_by(actors.c.id.desc())
    return tx.execute(statement.limit(limit).offset(offset), {"me": viewer_id, "now": now}).all()


def suggest(tx: Connection, actor_id: int, *, limit: int, offset: int = 0, now: Instant) -> list[Suggestion]:
    """Whom the actor may want to follow: first whom those follow whom it follows, then whom most here follow."""
    given = {"me": actor_id, "now": now}
    wanted = limit + offset
    close = tx.execute(_friends_of_friends(wanted), given).all()
    found = [Suggestion(row, ("friends_of_friends",)) for row in close]
    if len(found) < wanted:
        known = {row.id for row in close}
        popular = tx.execute(_most_followed(wanted), given).all()
        found += [Suggestion(row, ("most_followed",)) for row in popular if row.id not in known]
    return found[offset:wanted]


def dismiss(tx: Connection, actor_id: int, target_id: int, *, now: Instant) -> None:
    """The target is never suggested to the actor again."""
    if tx.scalar(select(actors.c.id).where(actors.c.id == target_id)) is None:
        return
    tx.execute(
        insert(tx, suggestion_dismissals)
        .values(actor_id=actor_id, target_id=target_id, created_at=now)
        .on_conflict_do_nothing()
    )


def _friends_of_friends(limit: int) -> Any:
    mine, theirs = follows.alias("mine"), follows.alias("theirs")
    friends = (
        select(mine.c.followee_id)
        .where(mine.c.follower_id == _me, mine.c.accepted)
        .order_by(mine.c.id.desc())
        .limit(_FRIENDS)
        .subquery("friends")
    )
    common = (
        select(theirs.c.followee_id.label("id"), func.count().label("friends"))
        .join(friends, friends.c.followee_id == theirs.c.follower_id)
        .where(theirs.c.accepted)
        .group_by(theirs.c.followee_id)
        .subquery("common")
    )
    return (
        select(actors)
        .join(common, common.c.id == actors.c.id)
        .where(*_FOUND_OPENLY, *_new_to_me())
        .order_by(common.c.friends.desc(), actors.c.followers_count.desc(), actors.c.id)
        .limit(limit)
    )


def _most_followed(limit: int) -> Any:
    return (
        select(actors)
        .where(*_FOUND_OPENLY, actors.c.followers_count > 0, *_new_to_me())
        .order_by(actors.c.followers_count.desc(), actors.c.id)
        .limit(limit)
    )


def _new_to_me() -> tuple[ColumnElement[bool], ...]:
    """Whether an account is somebody whom the actor neither follows nor asked, hides nor dismissed."""
    return (
        actors.c.id != _me,
        ~exists().where(follows.c.follower_id == _me, follows.c.followee_id == actors.c.id).correlate(actors),
        ~exists()
        .where(suggestion_dismissals.c.actor_id == _me, suggestion_dismissals.c.target_id == actors.c.id)
        .correlate(actors),
        _not_hidden(),
    )


def _not_hidden() -> ColumnElement[bool]:
    blocked = or_(
        and_(blocks.c.actor_id == _me, blocks.c.target_id == actors.c.id),
        and_(blocks.c.actor_id == actors.c.id, blocks.c.target_id == _me),
    )
    return and_(
        actors.c.id.not_in(muted_by(_me, now=_now)),
        ~exists().where(blocked).correlate(actors),
        actors.c.host.not_in(select(hidden_hosts.c.host).where(hidden_hosts.c.actor_id == _me)),
    )
