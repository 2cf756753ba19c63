"""The home timeline: one entry per reader and status, written when a status comes, by the Twitter reply rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    cast,
    delete,
    exists,
    false,
    literal,
    or_,
    select,
    true,
)

from fediverse import ids, jobs, notifications
from fediverse.clock import DAY, Instant
from fediverse.db import insert
from fediverse.drafts import Visibility
from fediverse.paging import Page
from fediverse.tables.actors import blocks, follows
from fediverse.tables.statuses import statuses
from fediverse.tables.timelines import home_entries
from fediverse.visibility import muted_by, shows

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
        spread(tx, status, after=0)
        if status.in_reply_to_author_id in (None, author.id):
            notifications.notify_subscribers(tx, status, author=author, now=now)
    notifications.notify(tx, mentioned, kind="mention", by=author, status=status, now=now)


def surface_boost(tx: Connection, boost: Row[Any], *, status: Row[Any], now: Instant) -> None:
    """The boost shows to the booster's followers here, where the post did not just show anyway."""
    booster_is_local = boost.local
    if booster_is_local:
        _enter(tx, [boost.author_id], boost)
    spread(tx, boost, after=0)


def spread(tx: Connection, status: Row[Any], *, after: int) -> None:
    """Up to 500 local followers (by follow id, those after ``after``) have the status at home; a job does the rest."""
    batch = (
        select(follows.c.id)
        .where(follows.c.followee_id == status.author_id, follows.c.follower_is_local, follows.c.accepted)
        .where(follows.c.id > after)
        .order_by(follows.c.id)
        .limit(DIRECTLY)
    )
    last = tx.execute(batch.offset(DIRECTLY - 1).limit(1)).scalar()
    until = follows.c.id <= last if last is not None else follows.c.id > after
    receiving = (
        _entry_of(status)
        .where(follows.c.followee_id == status.author_id, follows.c.follower_is_local, follows.c.accepted)
        .where(follows.c.id > after, until)
        .where(*_home_rule(status))
    )
    tx.execute(
        insert(tx, home_entries)
        .from_select(["actor_id", "status_id", "author_id", "subject_id"], receiving)
        .on_conflict_do_nothing()
    )
    if last is not None:
        jobs.enqueue(tx, "spread", {"status_id": status.id, "after": last})


def _entry_of(status: Row[Any]) -> Select[Any]:
    return select(
        follows.c.follower_id,
        cast(literal(status.id), BigInteger),
        cast(literal(status.author_id), BigInteger),
        cast(literal(status.boost_of_id or status.id), BigInteger),
    )


def _home_rule(status: Row[Any]) -> list[ColumnElement[bool]]:
    """The conditions on a follower (a row of ``follows``) for the status to show in their home timeline."""
    follower = follows.c.follower_id
    rules: list[ColumnElement[bool]] = []
    if status.boost_of_id is not None:
        since = ids.floor_id(ids.instant_of(status.id) - BOOST_WINDOW)
        rules.append(follows.c.show_boosts)
        rules.append(
            ~exists().where(
                home_entries.c.actor_id == follower,
                home_entries.c.subject_id == status.boost_of_id,
                home_entries.c.status_id > since,
            )
        )
    elif status.in_reply_to_author_id is not None and status.in_reply_to_author_id != status.author_id:
        also = follows.alias("also")
        follows_both = exists().where(
            also.c.follower_id == follower, also.c.followee_id == status.in_reply_to_author_id, also.c.accepted
        )
        rules.append(or_(follower == status.in_reply_to_author_id, follows_both))
    elif status.in_reply_to_author_id is None and status.in_reply_to_uri is not None:
        rules.append(false())  # a reply to nobody known shows in nobody's home timeline
    return rules


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
        tx.execute(insert(tx, home_entries).on_conflict_do_nothing(), rows)


def backfill(tx: Connection, follower_id: int, followee_id: int) -> None:
    """The recent posts of somebody newly followed show in the follower's home timeline, by the reply rule."""
    also = follows.alias("also")
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
    """A page of the actor's home timeline: rows of ``statuses``, boosts among them."""
    subject = statuses.alias("subject")
    hidden = muted_by(actor_id, now=now)
    statement = (
        select(statuses)
        .select_from(home_entries)
        .join(statuses, statuses.c.id == home_entries.c.status_id)
        .join(subject, subject.c.id == home_entries.c.subject_id)
        .where(
            home_entries.c.actor_id == actor_id,
            subject.c.deleted_at.is_(None),
            home_entries.c.author_id.not_in(hidden),
            subject.c.author_id.not_in(hidden),
            subject.c.author_id.not_in(select(blocks.c.target_id).where(blocks.c.actor_id == actor_id)),
            shows(subject.c.author_id),
            shows(home_entries.c.author_id),
        )
    )
    return page.newest_first(tx.execute(page.select(statement, home_entries.c.status_id)).all())
