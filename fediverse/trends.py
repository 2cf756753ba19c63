"""What is talked about just now: hashtags, posts and links, counted by accounts and not by how often they say it.

Only public posts count that nobody need be warned of, by accounts that want to be found. A few accounts of one other
server count, however many it has: whoever wants to be seen cannot be so with a server of their own alone. What nobody
has reviewed is shown once enough accounts use it; what was refused is not, what was allowed is.

Counted by a job, so that showing costs little. Owner of the tables ``trends`` and ``trend_reviews``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    union,
)

from fediverse import ids, jobs
from fediverse.clock import DAY, HOUR, MINUTE, Instant
from fediverse.clock import now as present
from fediverse.db import Database, insert
from fediverse.drafts import Visibility
from fediverse.tables.actors import actors, blocks
from fediverse.tables.cards import cards
from fediverse.tables.statuses import HEAD, favourites, status_tags, statuses, tags
from fediverse.tables.trends import trend_reviews, trends
from fediverse.visibility import muted_by, shows, visible_where

Kind = Literal["tag", "status", "link"]

EVERY: Final = 10 * MINUTE
#: From how many accounts on something is shown that nobody has reviewed.
SHOWN_FROM: Final = 3
#: So many accounts of one other server count at most.
OF_ONE_HOST: Final = 2
#: So many days are told of.
DAYS: Final = 7

_WINDOW: Final = 3 * DAY
_HALF_LIFE: Final = 12 * HOUR
_KEPT: Final = 100
_CANDIDATES: Final = 300
_JOB: Final = "trends"

_me = bindparam("me", type_=BigInteger)
_now = bindparam("now", type_=BigInteger)
_since = bindparam("since", type_=BigInteger)
_COUNTS = (
    statuses.c.visibility == Visibility.PUBLIC,
    statuses.c.deleted_at.is_(None),
    statuses.c.boost_of_id.is_(None),
    ~statuses.c.sensitive,
    actors.c.discoverable,
    actors.c.suspended_at.is_(None),
    actors.c.limited_at.is_(None),
    actors.c.deleted_at.is_(None),
)


@dataclass(slots=True)
class Trend:
    """Something that is talked about. ``history`` is of days: (midnight, uses, accounts), today first."""

    kind: Kind
    subject_id: int
    score: float = 0.0
    accounts: int = 0
    history: list[tuple[Instant, int, int]] = field(default_factory=list)


def measure(tx: Connection, *, now: Instant) -> list[Trend]:
    """What is talked about now."""
    return [
        *_by_uses(tx, "tag", _TAG_USES, _TAG_DAYS, now=now),
        *_by_uses(tx, "link", _LINK_USES, _LINK_DAYS, now=now),
        *_statuses(tx, now=now),
    ]


def store(tx: Connection, found: Iterable[Trend], *, now: Instant) -> None:
    """What is shown is what was found, and nothing else."""
    tx.execute(delete(trends))
    rows = [
        {
            "kind": trend.kind,
            "subject_id": trend.subject_id,
            "score": trend.score,
            "accounts": trend.accounts,
            "history": trend.history,
            "computed_at": now,
        }
        for trend in found
    ]
    if rows:
        tx.execute(insert(tx, trends).on_conflict_do_nothing(), rows)


def review(tx: Connection, kind: Kind, subject_id: int, *, allowed: bool, now: Instant) -> None:
    """The tag, status or link (by its card) may be shown as a trend however few talk about it, or never."""
    values = {"allowed": allowed, "reviewed_at": now}
    tx.execute(
        insert(tx, trend_reviews)
        .values(kind=kind, subject_id=subject_id, **values)
        .on_conflict_do_update(index_elements=["kind", "subject_id"], set_=values)
    )


def allowed_among(tx: Connection, kind: Kind, subject_ids: Iterable[int]) -> set[int]:
    """Those that a moderator allowed."""
    found = select(trend_reviews.c.subject_id).where(
        trend_reviews.c.kind == kind, trend_reviews.c.allowed, trend_reviews.c.subject_id.in_(list(subject_ids))
    )
    return set(tx.scalars(found))


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Something that is talked about, and what moderators said of it: None as long as they said nothing."""

    subject_id: int
    allowed: bool | None
    history: list[tuple[Instant, int, int]]


def all_of_kind(tx: Connection, kind: Kind, *, limit: int, offset: int = 0) -> list[Reviewed]:
    """What is talked about, the most of it first, whether or not it is shown."""
    statement = (
        select(trends.c.subject_id, trends.c.history, trend_reviews.c.allowed)
        .outerjoin(
            trend_reviews,
            and_(trend_reviews.c.kind == trends.c.kind, trend_reviews.c.subject_id == trends.c.subject_id),
        )
        .where(trends.c.kind == kind)
        .order_by(trends.c.score.desc(), trends.c.subject_id.desc())
    )
    rows = tx.execute(statement.limit(limit).offset(offset))
    return [Reviewed(row.subject_id, row.allowed, [tuple(day) for day in row.history]) for row in rows]


def no_history(now: Instant) -> list[tuple[Instant, int, int]]:
    """The days that are told of, without anything on them."""
    return [(day * DAY, 0, 0) for day in range(now // DAY, now // DAY - DAYS, -1)]


def tag_rows(tx: Connection, tag_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """The hashtags with these ids."""
    return tx.execute(select(tags).where(tags.c.id.in_(tag_ids))).all() if tag_ids else ()


def card_rows(tx: Connection, card_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """The cards with these ids, as far as they show anything."""
    return tx.execute(select(cards).where(cards.c.id.in_(card_ids), cards.c.kind != "")).all() if card_ids else ()


def tags_shown(tx: Connection, *, limit: int, offset: int = 0) -> Sequence[Row[Any]]:
    """Hashtags (rows of ``tags`` with the trend's ``history``), the most talked about first."""
    statement = select(tags, trends.c.history).join(tags, tags.c.id == trends.c.subject_id)
    return tx.execute(_shown(statement, "tag").limit(limit).offset(offset)).all()


def links_shown(tx: Connection, *, limit: int, offset: int = 0) -> Sequence[Row[Any]]:
    """Links (rows of ``cards`` with the trend's ``history``), the most talked about first."""
    statement = select(cards, trends.c.history).join(cards, cards.c.id == trends.c.subject_id).where(cards.c.kind != "")
    return tx.execute(_shown(statement, "link").limit(limit).offset(offset)).all()


def statuses_shown(
    tx: Connection, *, limit: int, offset: int = 0, viewer_id: int | None, now: Instant
) -> Sequence[Row[Any]]:
    """The heads of posts, the most talked about first; not of whom the viewer hides or who hides from the viewer."""
    viewer = _me if viewer_id is not None else None
    statement = (
        select(*HEAD)
        .select_from(trends)
        .join(statuses, statuses.c.id == trends.c.subject_id)
        .where(
            statuses.c.visibility == Visibility.PUBLIC,
            visible_where(viewer),
            shows(statuses.c.author_id, limited=False, viewer_id=viewer),
        )
    )
    if viewer is not None:
        statement = statement.where(
            statuses.c.author_id.not_in(muted_by(_me, now=_now)),
            statuses.c.author_id.not_in(select(blocks.c.target_id).where(blocks.c.actor_id == _me)),
        )
    given = {"me": viewer_id, "now": now}
    return tx.execute(_shown(statement, "status").limit(limit).offset(offset), given).all()


def schedule(tx: Connection, *, now: Instant) -> None:
    """What is talked about will be counted again when its time has come: once, whoever asks for it."""
    slot = now // EVERY + 1
    jobs.enqueue(tx, _JOB, {}, unique_key=str(slot), due_at=slot * EVERY)


def job_kinds(database: Database) -> dict[str, jobs.Job]:
    """The jobs of this room."""

    async def count(_payload: Mapping[str, Any]) -> None:
        now = present()
        await database.write(schedule, now=now)
        found = await database.read(measure, now=now)
        await database.write(store, found, now=now)

    return {_JOB: count}


def _shown(statement: Select[Any], kind: Kind) -> Select[Any]:
    reviewed = and_(trend_reviews.c.kind == trends.c.kind, trend_reviews.c.subject_id == trends.c.subject_id)
    fit = or_(trend_reviews.c.allowed, and_(trend_reviews.c.allowed.is_(None), trends.c.accounts >= SHOWN_FROM))
    return (
        statement.outerjoin(trend_reviews, reviewed)
        .where(trends.c.kind == kind, fit)
        .order_by(trends.c.score.desc(), trends.c.subject_id.desc())
    )


def _uses(subject: ColumnElement[int], source: Any) -> Select[Any]:
    """Who used what last when."""
    return (
        select(subject.label("subject"), actors.c.host, func.max(statuses.c.id).label("last"))
        .select_from(source)
        .where(statuses.c.id >= _since, *_COUNTS)
        .group_by(subject, statuses.c.author_id, actors.c.host)
    )


def _days(subject: ColumnElement[int], source: Any) -> Select[Any]:
    """How often, and by how many, something was used on each day."""
    day = (statuses.c.created_at // DAY).label("day")
    accounts = func.count(func.distinct(statuses.c.author_id)).label("accounts")
    return (
        select(subject.label("subject"), day, func.count().label("uses"), accounts)
        .select_from(source)
        .where(statuses.c.id >= _since, subject.in_(bindparam("subjects", expanding=True)), *_COUNTS)
        .group_by(subject, day)
    )


_authored = statuses.join(actors, actors.c.id == statuses.c.author_id)
_tagged = status_tags.join(statuses, statuses.c.id == status_tags.c.status_id).join(
    actors, actors.c.id == statuses.c.author_id
)
_TAG_USES = _uses(status_tags.c.tag_id, _tagged).where(status_tags.c.status_id >= _since)
_TAG_DAYS = _days(status_tags.c.tag_id, _tagged)
_linked = statuses.c.card_id.is_not(None)
_LINK_USES = _uses(statuses.c.card_id, _authored).where(_linked)
_LINK_DAYS = _days(statuses.c.card_id, _authored).where(_linked)


def _by_uses(tx: Connection, kind: Kind, uses: Select[Any], days: Select[Any], *, now: Instant) -> list[Trend]:
    lasts: dict[int, dict[str, list[int]]] = {}
    for row in tx.execute(uses, {"since": ids.floor_id(now - _WINDOW)}):
        lasts.setdefault(row.subject, {}).setdefault(row.host, []).append(row.last)
    found = []
    for subject, by_host in lasts.items():
        counted = [
            last
            for host, of_host in by_host.items()
            for last in (sorted(of_host, reverse=True)[:OF_ONE_HOST] if host else of_host)
        ]
        score = sum(_weight(ids.instant_of(last), now) for last in counted)
        found.append(Trend(kind, subject, score, len(counted)))
    found = sorted(found, key=lambda trend: trend.score, reverse=True)[:_KEPT]
    _add_history(tx, found, days, now=now)
    return found


def _add_history(tx: Connection, found: Sequence[Trend], statement: Select[Any], *, now: Instant) -> None:
    today = now // DAY
    given = {"since": ids.floor_id((today - DAYS + 1) * DAY), "subjects": [trend.subject_id for trend in found]}
    counts = {(row.subject, row.day): (row.uses, row.accounts) for row in tx.execute(statement, given)}
    for trend in found:
        trend.history = [
            (day * DAY, *counts.get((trend.subject_id, day), (0, 0))) for day in range(today, today - DAYS, -1)
        ]


def _statuses(tx: Connection, *, now: Instant) -> list[Trend]:
    """Posts that many like or boosted, one of each author."""
    liked = statuses.c.favourites_count + statuses.c.boosts_count
    candidates = tx.execute(
        select(statuses.c.id, statuses.c.author_id)
        .select_from(_authored)
        .where(statuses.c.id >= _since, statuses.c.listed, liked > 0, *_COUNTS)
        .order_by(liked.desc(), statuses.c.id.desc())
        .limit(_CANDIDATES),
        {"since": ids.floor_id(now - _WINDOW)},
    ).all()
    authors = {row.id: row.author_id for row in candidates}
    accounts: dict[int, int] = {}
    for row in tx.execute(_ADMIRERS, {"ids": list(authors)}):
        accounts[row.status_id] = accounts.get(row.status_id, 0) + (
            min(row.number, OF_ONE_HOST) if row.host else row.number
        )
    found = [
        Trend("status", status_id, number * _weight(ids.instant_of(status_id), now), number)
        for status_id, number in accounts.items()
    ]
    best: dict[int, Trend] = {}
    for trend in sorted(found, key=lambda trend: trend.score, reverse=True):
        best.setdefault(authors[trend.subject_id], trend)
    return list(best.values())[:_KEPT]


def _admirers() -> Select[Any]:
    """How many accounts of each server like or boosted each of some posts, their authors not counted."""
    boost, post = statuses.alias("boost"), statuses.alias("post")
    among = bindparam("ids", expanding=True, type_=BigInteger)
    who = union(
        select(favourites.c.status_id, favourites.c.actor_id).where(favourites.c.status_id.in_(among)),
        select(boost.c.boost_of_id, boost.c.author_id).where(boost.c.boost_of_id.in_(among)),
    ).subquery("who")
    return (
        select(who.c.status_id, actors.c.host, func.count().label("number"))
        .select_from(who)
        .join(post, post.c.id == who.c.status_id)
        .join(actors, actors.c.id == who.c.actor_id)
        .where(who.c.actor_id != post.c.author_id, actors.c.suspended_at.is_(None), actors.c.limited_at.is_(None))
        .group_by(who.c.status_id, actors.c.host)
    )


_ADMIRERS = _admirers()


def _weight(instant: Instant, now: Instant) -> float:
    """What was just now counts fully, what was half a day ago by half."""
    return float(0.5 ** (max(now - instant, 0) / _HALF_LIFE))
