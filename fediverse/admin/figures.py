"""How much went on, day by day: what moderators see as measures. Only read here.

Each measure is a statement that gives the moments at which something happened, and what it is counted by where things
that happen twice count once. Ranges of ids bound what is looked at: ids sort by time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, FromClause, Select, and_, func, literal, or_, select, union_all

from fediverse import ids
from fediverse.clock import DAY, Instant
from fediverse.tables.actors import actors, follows, people, person_days
from fediverse.tables.moderation import reports
from fediverse.tables.statuses import favourites, status_tags, statuses


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days: from the beginning of one to the end of another."""

    start: Instant
    end: Instant

    @property
    def days(self) -> list[Instant]:
        """The beginnings of the days."""
        return list(range(self.start, self.end, DAY))

    @property
    def before(self) -> Period:
        """The time before, equally long."""
        return Period(2 * self.start - self.end, self.start)


@dataclass(frozen=True, slots=True)
class Measure:
    """What was counted: in all, in the time before, and by the beginnings of days."""

    key: str
    total: int
    previous: int
    by_day: Mapping[Instant, int] = field(default_factory=dict)


#: Moments (``at``) and what is counted (``what``; all are different for what simply adds up) within a period.
_Events = Select[Any]
#: (period, argument): the argument is a hashtag's id or a host, None for measures of the whole instance.
Build = Callable[[Period, Any], _Events]


def measure(tx: Connection, key: str, argument: Any, period: Period) -> Measure:
    """What the measure was in the period, in three queries."""
    build = MEASURES[key]
    found = build(period, argument).subquery()
    day = (found.c.at - period.start) // DAY
    counted = func.count(found.c.what.distinct())
    by_day = {
        period.start + int(row.day) * DAY: row.number
        for row in tx.execute(select(day.label("day"), counted.label("number")).group_by("day"))
    }
    earlier = build(period.before, argument).subquery()
    return Measure(
        key,
        tx.scalar(select(counted)) or 0,
        tx.scalar(select(func.count(earlier.c.what.distinct()))) or 0,
        by_day,
    )


def _between(column: Any, period: Period) -> Any:
    return and_(column >= period.start, column < period.end)


def _made(column: Any, period: Period) -> Any:
    """Whether the row's id is of the period."""
    return and_(column >= ids.floor_id(period.start), column < ids.floor_id(period.end))


def _known_since(column: Any) -> Any:
    """The moment that the row's id was made for."""
    return column // (1 << ids.LOW_BITS) + ids.EPOCH


def _active_users(period: Period, _argument: Any) -> _Events:
    table = person_days
    return select(table.c.day.label("at"), table.c.person_id.label("what")).where(_between(table.c.day, period))


def _new_users(period: Period, _argument: Any) -> _Events:
    return select(people.c.created_at.label("at"), people.c.id.label("what")).where(
        _between(people.c.created_at, period)
    )


def _interactions(period: Period, _argument: Any) -> _Events:
    """Likes and boosts of, and answers to, posts from here."""
    ours = statuses.alias("ours")
    given = [
        select(favourites.c.created_at.label("at"), favourites.c.id.label("what"))
        .join(ours, ours.c.id == favourites.c.status_id)
        .where(_made(favourites.c.id, period), ours.c.local),
        select(statuses.c.created_at.label("at"), statuses.c.id.label("what"))
        .join(ours, or_(ours.c.id == statuses.c.boost_of_id, ours.c.id == statuses.c.in_reply_to_id))
        .where(_made(statuses.c.id, period), statuses.c.deleted_at.is_(None), ours.c.local),
    ]
    all_of_them = union_all(*given).subquery("given")
    return select(all_of_them.c.at, all_of_them.c.what).where(_between(all_of_them.c.at, period))


def _opened_reports(period: Period, _argument: Any) -> _Events:
    return select(reports.c.created_at.label("at"), reports.c.id.label("what")).where(
        _between(reports.c.created_at, period)
    )


def _resolved_reports(period: Period, _argument: Any) -> _Events:
    return select(reports.c.action_taken_at.label("at"), reports.c.id.label("what")).where(
        _between(reports.c.action_taken_at, period)
    )


def _tagged(period: Period, tag_id: int, what: Any, source: FromClause = statuses) -> _Events:
    return (
        select(statuses.c.created_at.label("at"), what.label("what"))
        .select_from(source.join(status_tags, status_tags.c.status_id == statuses.c.id))
        .where(
            status_tags.c.tag_id == tag_id,
            _made(statuses.c.id, period),
            _between(statuses.c.created_at, period),
            statuses.c.deleted_at.is_(None),
        )
    )


_AUTHORED = statuses.join(actors, actors.c.id == statuses.c.author_id)


def _tag_servers(period: Period, tag_id: int) -> _Events:
    return _tagged(period, tag_id, actors.c.host, _AUTHORED).where(actors.c.host != "")


def _instance_accounts(period: Period, host: str) -> _Events:
    return select(_known_since(actors.c.id).label("at"), actors.c.id.label("what")).where(
        actors.c.host == host, _made(actors.c.id, period)
    )


def _instance_statuses(period: Period, host: str) -> _Events:
    return (
        select(statuses.c.created_at.label("at"), statuses.c.id.label("what"))
        .select_from(_AUTHORED)
        .where(
            actors.c.host == host,
            _made(statuses.c.id, period),
            _between(statuses.c.created_at, period),
            statuses.c.deleted_at.is_(None),
        )
    )


def _instance_reports(period: Period, host: str) -> _Events:
    return (
        select(reports.c.created_at.label("at"), reports.c.id.label("what"))
        .join(actors, actors.c.id == reports.c.target_id)
        .where(actors.c.host == host, _between(reports.c.created_at, period))
    )


def _followed(period: Period, host: str, there: Any, *, local: bool) -> _Events:
    return (
        select(follows.c.created_at.label("at"), follows.c.id.label("what"))
        .join(actors, actors.c.id == there)
        .where(
            actors.c.host == host,
            follows.c.accepted,
            follows.c.follower_is_local == literal(local),
            _between(follows.c.created_at, period),
        )
    )


#: By the API's names. Those that begin with ``tag_`` are about a hashtag, with ``instance_`` about another server.
MEASURES: Final[Mapping[str, Build]] = {
    "active_users": _active_users,
    "new_users": _new_users,
    "interactions": _interactions,
    "opened_reports": _opened_reports,
    "resolved_reports": _resolved_reports,
    "tag_accounts": lambda period, tag_id: _tagged(period, tag_id, statuses.c.author_id),
    "tag_uses": lambda period, tag_id: _tagged(period, tag_id, statuses.c.id),
    "tag_servers": _tag_servers,
    "instance_accounts": _instance_accounts,
    "instance_statuses": _instance_statuses,
    "instance_reports": _instance_reports,
    "instance_follows": lambda period, host: _followed(period, host, follows.c.followee_id, local=True),
    "instance_followers": lambda period, host: _followed(period, host, follows.c.follower_id, local=False),
}
