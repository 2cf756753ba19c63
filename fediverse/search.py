"""Looking for accounts among those that are known here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, or_, select

from fediverse.tables.actors import INSTANCE_ACTOR_ID, actors, follows
from fediverse.urls import Urls


def accounts(
    tx: Connection, urls: Urls, words: str, *, limit: int, offset: int = 0, followed_by: int | None = None
) -> Sequence[Row[Any]]:
    """The accounts whose handle begins with ``words``, or whose name holds them; best first.

    ``followed_by`` narrows them to those whom that actor follows. Suspended accounts are not found, limited ones by
    their whole user name only.
    """
    username, at, host = words.strip().removeprefix("@").lower().partition("@")
    if not username:
        return []
    exact = actors.c.username_folded == username
    matches: ColumnElement[bool] = actors.c.username_folded.startswith(username, autoescape=True)
    if at:
        there: ColumnElement[bool] = actors.c.host.startswith(host, autoescape=True)
        if urls.domain.startswith(host):
            there = or_(there, actors.c.host == "")
        matches = and_(exact, there)
    else:
        matches = or_(matches, func.lower(actors.c.name).contains(username, autoescape=True))
    statement = select(actors).where(
        matches,
        or_(actors.c.limited_at.is_(None), exact),
        actors.c.suspended_at.is_(None),
        actors.c.deleted_at.is_(None),
        actors.c.id != INSTANCE_ACTOR_ID,
    )
    if followed_by is not None:
        statement = statement.join(
            follows,
            and_(follows.c.followee_id == actors.c.id, follows.c.follower_id == followed_by, follows.c.accepted),
        )
    best = (case((exact, 0), else_=1), case((actors.c.host == "", 0), else_=1), actors.c.followers_count.desc())
    return tx.execute(statement.order_by(*best, actors.c.id).limit(limit).offset(offset)).all()
