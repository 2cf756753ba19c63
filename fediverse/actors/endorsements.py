"""Whom an actor recommends on its profile, among those whom it follows. Owner of the table endorsements."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, exists, select

from fediverse import ids
from fediverse.clock import Instant
from fediverse.db import insert
from fediverse.errors import Invalid
from fediverse.paging import Page
from fediverse.tables.actors import actors, follows
from fediverse.tables.relations import endorsements


def endorse(tx: Connection, actor: Row[Any], target: Row[Any], *, now: Instant) -> None:
    """The actor recommends the target. Raises Invalid unless it follows it."""
    following = exists().where(
        follows.c.follower_id == actor.id, follows.c.followee_id == target.id, follows.c.accepted
    )
    if not tx.scalar(select(following)):
        raise Invalid("Validation failed: you must already follow the person you want to endorse.")
    tx.execute(
        insert(tx, endorsements)
        .values(id=ids.new_id(), actor_id=actor.id, target_id=target.id, created_at=now)
        .on_conflict_do_nothing()
    )


def unendorse(tx: Connection, actor_id: int, target_id: int) -> None:
    """The actor does not recommend the target."""
    mine = (endorsements.c.actor_id == actor_id, endorsements.c.target_id == target_id)
    tx.execute(delete(endorsements).where(*mine))


def page(tx: Connection, actor_id: int, page: Page) -> list[tuple[int, int]]:
    """(paging id, actor id) of those whom the actor recommends, the latest first."""
    statement = (
        select(endorsements.c.id, endorsements.c.target_id)
        .join(actors, actors.c.id == endorsements.c.target_id)
        .where(endorsements.c.actor_id == actor_id, actors.c.suspended_at.is_(None), actors.c.deleted_at.is_(None))
    )
    rows = tx.execute(page.select(statement, endorsements.c.id)).all()
    return page.newest_first([(row.id, row.target_id) for row in rows])
