"""NodeInfo 2.0 and 2.1 (nodeinfo.diaspora.software): what this server is and how many are here, counted truly."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, exists, func, or_, select

from fediverse import instance
from fediverse.clock import DAY, Instant
from fediverse.db import Database
from fediverse.limited import SingleFlight
from fediverse.tables.actors import INSTANCE_ACTOR_ID, actors, memberships, people
from fediverse.tables.statuses import statuses
from fediverse.urls import Urls

VERSIONS: Final = ("2.0", "2.1")
MONTH: Final[Instant] = 30 * DAY
HALF_YEAR: Final[Instant] = 180 * DAY
LONGEST_SECONDS: Final = 60.0
_SHORTEST_SECONDS: Final = 1.0
# Counting may take at most this part of a core, however many ask.
_SHARE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Counts:
    """What NodeInfo tells in numbers, and the name of the instance."""

    users: int
    active_month: int
    active_half_year: int
    posts: int
    replies: int
    name: str
    description: str


def count(tx: Connection, *, now: Instant) -> Counts:
    """The counts as they are now: accounts that are neither deleted nor suspended, and posts that still stand."""
    here = (
        actors.c.host == "",
        actors.c.id != INSTANCE_ACTOR_ID,
        actors.c.deleted_at.is_(None),
        actors.c.suspended_at.is_(None),
    )
    own = (statuses.c.local, statuses.c.boost_of_id.is_(None), statuses.c.deleted_at.is_(None))

    def number(*where: ColumnElement[bool]) -> int:
        return int(tx.scalar(select(func.count()).select_from(actors).where(*here, *where)) or 0)

    by_author = select(func.count()).select_from(actors.join(statuses, statuses.c.author_id == actors.c.id))
    posts = tx.scalar(by_author.where(*here, *own)) or 0
    answers = or_(statuses.c.in_reply_to_id.is_not(None), statuses.c.in_reply_to_uri.is_not(None))
    replies = tx.scalar(by_author.where(*here, *own, answers)) or 0
    info = instance.get(tx)
    return Counts(
        users=number(),
        active_month=number(_active_since(now - MONTH)),
        active_half_year=number(_active_since(now - HALF_YEAR)),
        posts=posts,
        replies=replies,
        name=info.name,
        description=info.description,
    )


def _active_since(instant: Instant) -> ColumnElement[bool]:
    """Who posted, or whose people were here, since then."""
    seen = (
        exists()
        .where(memberships.c.actor_id == actors.c.id, memberships.c.person_id == people.c.id)
        .where(people.c.last_active_at >= instant)
    )
    return or_(actors.c.last_status_at >= instant, seen)


class Census:
    """Counts that are at most a minute old, and a second where counting is quick."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._flights: SingleFlight[str, Counts] = SingleFlight()
        self._counts: Counts | None = None
        self._until = 0.0

    async def counts(self, *, now: Instant) -> Counts:
        """The counts, new or kept."""
        if self._counts is not None and time.monotonic() < self._until:
            return self._counts
        return await self._flights.do("counts", lambda: self._count(now))

    async def _count(self, now: Instant) -> Counts:
        began = time.monotonic()
        self._counts = await self._database.read(count, now=now)
        ended = time.monotonic()
        self._until = ended + min(max((ended - began) / _SHARE, _SHORTEST_SECONDS), LONGEST_SECONDS)
        return self._counts


def links(urls: Urls) -> dict[str, Any]:
    """The well-known document that leads to both versions."""
    schema = "http://nodeinfo.diaspora.software/ns/schema"
    return {
        "links": [{"rel": f"{schema}/{version}", "href": f"{urls.base_url}/nodeinfo/{version}"} for version in VERSIONS]
    }


def document(counts: Counts, *, version: str, software_version: str, registrations: str) -> dict[str, Any]:
    """The NodeInfo document in this schema version."""
    return {
        "version": version,
        "software": {"name": "fediverse", "version": software_version},
        "protocols": ["activitypub"],
        "services": {"inbound": [], "outbound": ["atom1.0"]},
        "openRegistrations": registrations in {"open", "approval"},
        "usage": {
            "users": {
                "total": counts.users,
                "activeMonth": counts.active_month,
                "activeHalfyear": counts.active_half_year,
            },
            "localPosts": counts.posts,
            "localComments": counts.replies,
        },
        "metadata": {"nodeName": counts.name, "nodeDescription": counts.description},
    }
