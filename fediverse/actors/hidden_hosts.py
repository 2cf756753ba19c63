"""Hosts that an actor wants to have nothing to do with. Owner of the table hidden_hosts.

Nothing from there shows in its timelines or notifications, and nobody there follows or is followed. What the instance
holds against hosts is in ``moderation``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, delete, exists, or_, select

from fediverse import clock, ids, jobs, notifications
from fediverse.actors import directory, relations
from fediverse.clock import Instant
from fediverse.db import Database, insert
from fediverse.errors import BadRequest, Invalid
from fediverse.paging import Page
from fediverse.tables.actors import actors, follows
from fediverse.tables.relations import hidden_hosts
from fediverse.text import fold_host
from fediverse.urls import Urls

_AT_ONCE: Final = 40


def hide(tx: Connection, urls: Urls, actor: Row[Any], name: str, *, now: Instant) -> None:
    """The actor has nothing to do with the host: follows in both directions have ended, or soon will.

    Raises Invalid for what is no host elsewhere.
    """
    host = _fold(name)
    if host in {fold_host(urls.domain), fold_host(urls.host)}:
        raise Invalid("Validation failed: this server's own domain cannot be blocked.")
    added = tx.execute(
        insert(tx, hidden_hosts)
        .values(id=ids.new_id(), actor_id=actor.id, host=host, created_at=now)
        .on_conflict_do_nothing()
        .returning(hidden_hosts.c.id)
    ).first()
    if added is not None:
        notifications.forget_host(tx, actor.id, host)
        part(tx, urls, actor, host, now=now)


def show(tx: Connection, actor_id: int, name: str) -> None:
    """The actor does not hide the host. Raises Invalid for what is no host."""
    mine = (hidden_hosts.c.actor_id == actor_id, hidden_hosts.c.host == _fold(name))
    tx.execute(delete(hidden_hosts).where(*mine))


def page(tx: Connection, actor_id: int, page: Page) -> list[tuple[int, str]]:
    """(paging id, host) of those that the actor hides, the latest first."""
    statement = select(hidden_hosts.c.id, hidden_hosts.c.host).where(hidden_hosts.c.actor_id == actor_id)
    rows = tx.execute(page.select(statement, hidden_hosts.c.id)).all()
    return page.newest_first([(row.id, row.host) for row in rows])


def part(tx: Connection, urls: Urls, actor: Row[Any], host: str, *, now: Instant) -> None:
    """Follows between the actor and accounts of a host that it hides have ended: some now, the rest by a job."""
    mine = or_(
        and_(follows.c.follower_id == actor.id, follows.c.followee_id == actors.c.id),
        and_(follows.c.followee_id == actor.id, follows.c.follower_id == actors.c.id),
    )
    hidden = exists().where(hidden_hosts.c.actor_id == actor.id, hidden_hosts.c.host == host)
    there = tx.execute(
        select(actors).where(actors.c.host == host, exists().where(mine).correlate(actors), hidden).limit(_AT_ONCE)
    ).all()
    for other in there:  # each gets an activity of its own
        relations.unfollow(tx, urls, actor, other, now=now)
        relations.remove_follower(tx, urls, actor, other, now=now)
    if len(there) == _AT_ONCE:
        jobs.enqueue(tx, "part_from_host", {"actor_id": actor.id, "host": host})


def job_kinds(database: Database, urls: Urls) -> dict[str, jobs.Job]:
    """The jobs of this room."""

    def unit(tx: Connection, payload: Mapping[str, Any]) -> None:
        actor = directory.by_id(tx, payload["actor_id"])
        if actor is not None and actor.deleted_at is None:
            part(tx, urls, actor, payload["host"], now=clock.now())

    async def go_on(payload: Mapping[str, Any]) -> None:
        await database.write(unit, payload)

    return {"part_from_host": go_on}


def _fold(name: str) -> str:
    try:
        return fold_host(name)
    except BadRequest as error:
        raise Invalid(f"Validation failed: {error.message}") from error
