"""How much this instance is used: true counts, for whoever asks what it is."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from fediverse.clock import DAY, Instant
from fediverse.drafts import Visibility
from fediverse.tables.actors import INSTANCE_ACTOR_ID, actors, people
from fediverse.tables.statuses import statuses


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts of what is here: accounts, active people, posts; and of other servers known."""

    users: int
    active_month: int
    active_half_year: int
    statuses: int
    domains: int


def measure(tx: Connection, *, now: Instant) -> Usage:
    """The counts of this moment; of posts, those that anybody may see. Reads whole tables: keep the result a while."""
    here = (actors.c.host == "") & (actors.c.id != INSTANCE_ACTOR_ID) & actors.c.deleted_at.is_(None)
    active = func.count().filter(people.c.last_active_at > now - 30 * DAY)
    active_long = func.count().filter(people.c.last_active_at > now - 180 * DAY)
    users = tx.scalar(select(func.count()).select_from(actors).where(here)) or 0
    posts = tx.scalar(
        select(func.count())
        .select_from(statuses)
        .where(
            statuses.c.local,
            statuses.c.boost_of_id.is_(None),
            statuses.c.deleted_at.is_(None),
            statuses.c.visibility <= Visibility.UNLISTED,
        )
    )
    month, half_year = tx.execute(select(active, active_long).select_from(people)).one()
    domains = tx.scalar(select(func.count(func.distinct(actors.c.host))).where(actors.c.host != "")) or 0
    return Usage(users, month, half_year, posts or 0, domains)
