"""How far this instance reaches, and how busy it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, bindparam, func, select

from fediverse import ids, moderation
from fediverse.clock import WEEK, Instant, week_of
from fediverse.tables.actors import actors, people, person_weeks
from fediverse.tables.statuses import statuses

#: How many weeks back the public count of what goes on here reaches.
WEEKS: Final = 12


@dataclass(frozen=True, slots=True)
class Week:
    """What went on in the week that began at an instant."""

    begins: Instant
    statuses: int
    logins: int
    registrations: int


def known_hosts(tx: Connection) -> int:
    """How many other servers somebody known here is on. Reads a whole index: keep the result for a while."""
    return tx.scalar(select(func.count(func.distinct(actors.c.host))).where(actors.c.host != "")) or 0


def peers(tx: Connection) -> list[str]:
    """The other servers that this one has met and has not blocked, by name. Keep the result for a while, too."""
    hosts = list(tx.scalars(select(actors.c.host).where(actors.c.host != "").distinct().order_by(actors.c.host)))
    blocked = moderation.blocked_among(tx, hosts)
    return [host for host in hosts if host not in blocked]


def weeks(tx: Connection, *, now: Instant) -> Sequence[Week]:
    """What went on in this week and the eleven before it, the present one first: posts written here, people who were
    here, and people who registered. Keep the result for a while."""
    this = week_of(now)
    first = this - (WEEKS - 1) * WEEK
    since = bindparam("since", first, type_=BigInteger)
    written = tx.execute(
        select(((statuses.c.created_at - since) // WEEK).label("week"), func.count().label("number"))
        .select_from(actors.join(statuses, statuses.c.author_id == actors.c.id))
        .where(
            actors.c.host == "",
            statuses.c.id >= ids.floor_id(first),
            statuses.c.created_at >= since,
            statuses.c.boost_of_id.is_(None),
            statuses.c.deleted_at.is_(None),
        )
        .group_by("week")
    )
    came = tx.execute(
        select(((people.c.created_at - since) // WEEK).label("week"), func.count().label("number"))
        .where(people.c.created_at >= since)
        .group_by("week")
    )
    here = tx.execute(
        select(((person_weeks.c.week - since) // WEEK).label("week"), func.count().label("number"))
        .where(person_weeks.c.week >= since)
        .group_by("week")
    )
    posts, logins, registrations = (_by_week(rows.all()) for rows in (written, here, came))
    return [
        Week(first + n * WEEK, posts.get(n, 0), logins.get(n, 0), registrations.get(n, 0))
        for n in reversed(range(WEEKS))
    ]


def _by_week(rows: Iterable[Any]) -> dict[int, int]:
    return {int(row.week): int(row.number) for row in rows}
