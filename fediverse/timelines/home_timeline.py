"""The home timeline: one entry per reader and status, written when a status comes, by the Twitter reply rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects import postgresql

from fediverse import events, ids, jobs, notifications
from fediverse.clock import DAY, Instant
from fediverse.db import Prepared, insert
from fediverse.drafts import Visibility
from fediverse.paging import Page, Shape
from fediverse.quick import Quick
from fediverse.tables.actors import follows
from fediverse.tables.statuses import HEAD, statuses
from fediverse.tables.timelines import home_entries
from fediverse.timelines.entries import exclusively_listed, wanted_by
from fediverse.timelines.tagged import spread_tagged
from fediverse.visibility import language_mark, wants_language

# Home timelines filled in the transaction that posts; a job fills the rest.
DIRECTLY = 500
# A boost is not shown where the same post or another boost of it showed within this time.
BOOST_WINDOW: Instant = DAY
# How many recent posts a new followee brings into the home timeline.
BACKFILL = 200


def surface(tx: Connection, status: Row[Any], *, author: Row[Any], mentioned: Sequence[int], now: Instant) -> None:
    """The new status shows in home timelines by the reply rule, and those whom it mentions are told.

    ``mentioned`` are the local actors mentioned or addressed.
    """
    if author.host == "":
        _enter(tx, [author.id], status)
    if status.visibility == Visibility.DIRECT:
        followers = select(follows.c.follower_id).where(
            follows.c.followee_id == author.id, follows.c.follower_id.in_(mentioned), follows.c.accepted
        )
        _enter(tx, tx.scalars(followers).all(), status)
    else:
        has_subscribers = spread(tx, status, after=0)
        spread_tagged(tx, status)
        if has_subscribers and status.in_reply_to_author_id in (None, author.id):
            notifications.notify_subscribers(tx, status, author=author, now=now)
    if status.visibility == Visibility.DIRECT:
        events.after_commit(tx, events.Surfaced(status.id, status.author_id))
    if mentioned:
        notifications.notify(tx, mentioned, kind="mention", by=author, status=status, now=now)


def surface_boost(tx: Connection, boost: Row[Any]) -> None:
    """The boost shows to the booster's followers here, where the post did not just show anyway."""
    if boost.local and not tx.scalar(_SHOWN_LATELY, _boost_facts(boost)):
        _enter(tx, [boost.author_id], boost)
    spread(tx, boost, after=0)


def _boost_facts(boost: Row[Any]) -> dict[str, int]:
    since = ids.floor_id(ids.instant_of(boost.id) - BOOST_WINDOW)
    return {"author": boost.author_id, "subject": boost.boost_of_id, "since": since}


def spread(tx: Connection, status: Row[Any], *, after: int) -> bool:
    """Up to 500 local followers (by follow id, those after ``after``) have the status at home; a job does the rest.

    Returns whether the author has followers here who want to be told of each post.
    """
    who = {"author": status.author_id, "after": after}
    first, last, has_subscribers = tx.execute(_AHEAD, {**who, "skipped": DIRECTLY - 1}).one()
    until = last if last is not None else ids.MAX_ID
    if first is not None or not after:
        events.after_commit(tx, events.Surfaced(status.id, status.author_id, after, until))
    if first is None:
        return False
    rule = _rule_of(status)
    if rule != "nobody":
        subject = status.boost_of_id or status.id
        facts = {
            **who,
            "until": until,
            "status": status.id,
            "subject": subject,
            "addressee": status.in_reply_to_author_id,
            "language": language_mark(status.language),
            "since": ids.floor_id(ids.instant_of(status.id) - BOOST_WINDOW),
        }
        tx.execute(_SPREAD[rule](tx), facts)
    if last is not None:
        # Once, also where a crash has this batch done again.
        key = f"{status.id}:{last}"
        jobs.enqueue(tx, "spread", {"status_id": status.id, "after": last}, unique_key=key)
    return bool(has_subscribers)


_Rule = Literal["post", "reply", "boost", "nobody"]


def _rule_of(status: Row[Any]) -> _Rule:
    """By which rule a follower gets the status into the home timeline."""
    if status.boost_of_id is not None:
        return "boost"
    addressee = status.in_reply_to_author_id
    if addressee is None:
        return "post" if status.in_reply_to_uri is None else "nobody"
    return "post" if addressee == status.author_id else "reply"


def _number(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BigInteger)


_followers = and_(follows.c.followee_id == _number("author"), follows.c.follower_is_local, follows.c.accepted)
_next = select(follows.c.id).where(_followers, follows.c.id > _number("after")).order_by(follows.c.id).limit(1)
# Whether there are local followers left, the last of this batch when there are more, whether any wants to be told.
_AHEAD = select(
    _next.scalar_subquery(),
    _next.offset(_number("skipped")).scalar_subquery(),
    exists().where(_followers, follows.c.notify),
)


def _spread_where(*rules: ColumnElement[bool]) -> Prepared[postgresql.Insert]:
    """Enters the status with those local followers of a batch to whom the rules let it show."""
    receiving = select(
        follows.c.follower_id,
        cast(_number("status"), BigInteger),
        cast(_number("author"), BigInteger),
        cast(_number("subject"), BigInteger),
    ).where(
        _followers,
        follows.c.id > _number("after"),
        follows.c.id <= _number("until"),
        wants_language(bindparam("language", type_=Text)),
        *rules,
    )
    columns = ["actor_id", "status_id", "author_id", "subject_id"]
    return Prepared(lambda insert: insert(home_entries).from_select(columns, receiving).on_conflict_do_nothing())


_also = follows.alias("also")
_follows_both = exists().where(
    _also.c.follower_id == follows.c.follower_id, _also.c.followee_id == _number("addressee"), _also.c.accepted
)


def _shown_to(reader_id: ColumnElement[int]) -> ColumnElement[bool]:
    # Of one column, the author looked up elsewhere: else SQLite does not take the subject's index, and reads all that
    # came since then.
    return exists(home_entries.c.status_id).where(
        home_entries.c.actor_id == reader_id,
        home_entries.c.subject_id == _number("subject"),
        home_entries.c.status_id > _number("since"),
        # What an exclusive list keeps out of home does not show there.
        statuses.c.id == home_entries.c.status_id,
        statuses.c.author_id.not_in(exclusively_listed(reader_id)),
    )


_shown_lately = _shown_to(follows.c.follower_id)
_SHOWN_LATELY = select(_shown_to(_number("author")))
_SPREAD: dict[_Rule, Prepared[postgresql.Insert]] = {
    "post": _spread_where(),
    "reply": _spread_where(or_(follows.c.follower_id == _number("addressee"), _follows_both)),
    "boost": _spread_where(follows.c.show_boosts, ~_shown_lately),
}
_ENTER = Prepared(lambda insert: insert(home_entries).on_conflict_do_nothing())


def _enter(tx: Connection, actor_ids: Iterable[int], status: Row[Any]) -> None:
    rows = [
        {
            "actor_id": actor_id,
            "status_id": status.id,
            "author_id": status.author_id,
            "subject_id": status.boost_of_id or status.id,
        }
        for actor_id in actor_ids
    ]
    if rows:
        tx.execute(_ENTER(tx), rows)


def backfill(tx: Connection, follower_id: int, followee_id: int) -> None:
    """The recent posts of somebody newly followed show in the follower's home timeline, by the reply rule."""
    also = follows.alias("also")
    languages = tx.scalar(
        select(follows.c.languages).where(follows.c.follower_id == follower_id, follows.c.followee_id == followee_id)
    )
    codes = languages.strip(",").split(",") if languages else []
    spoken = func.lower(statuses.c.language).concat("-")
    wanted = or_(statuses.c.language.is_(None), *(spoken.startswith(f"{code}-") for code in codes))
    addressee = statuses.c.in_reply_to_author_id
    follows_both = exists().where(also.c.follower_id == follower_id, also.c.followee_id == addressee, also.c.accepted)
    recent = (
        select(
            cast(literal(follower_id), BigInteger).label("actor_id"),
            statuses.c.id,
            statuses.c.author_id,
            statuses.c.id.label("subject_id"),
        )
        .where(
            statuses.c.author_id == followee_id,
            statuses.c.deleted_at.is_(None),
            statuses.c.visibility <= Visibility.FOLLOWERS,
            statuses.c.boost_of_id.is_(None),
            wanted if codes else true(),
            or_(
                and_(addressee.is_(None), statuses.c.in_reply_to_uri.is_(None)),
                addressee == followee_id,
                addressee == follower_id,
                follows_both,
            ),
        )
        .order_by(statuses.c.id.desc())
        .limit(BACKFILL)
    )
    tx.execute(
        insert(tx, home_entries)
        .from_select(["actor_id", "status_id", "author_id", "subject_id"], select(recent.subquery()).where(true()))
        .on_conflict_do_nothing()
    )


def withdraw(tx: Connection, actor_id: int, author_id: int) -> None:
    """What the author posted or boosted no longer shows in the actor's home timeline."""
    tx.execute(delete(home_entries).where(home_entries.c.actor_id == actor_id, home_entries.c.author_id == author_id))


def home(tx: Connection, actor_id: int, page: Page, *, now: Instant) -> list[Row[Any]]:
    """A page of the actor's home timeline, boosts among it: the heads of ``statuses``, for ``loading.statuses``."""
    values = {"me": actor_id, "now": now, **page.parameters}
    return page.newest_first(_home_page(page.shape)(tx, values))


@cache
def _home_page(shape: Shape) -> Quick:
    subject = statuses.alias("subject")
    me = _number("me")
    statement = (
        select(*HEAD)
        .select_from(home_entries)
        .join(statuses, statuses.c.id == home_entries.c.status_id)
        .join(subject, subject.c.id == home_entries.c.subject_id)
        .where(
            home_entries.c.actor_id == me,
            wanted_by(me, home_entries, subject, now=_number("now")),
            home_entries.c.author_id.not_in(exclusively_listed(me)),
        )
    )
    return Quick(lambda _sql: Page.bounded(statement, home_entries.c.status_id, shape))
