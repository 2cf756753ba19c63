"""What is under a hashtag comes into the home timelines of those who follow it."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, Select, alias, and_, bindparam, cast, delete, exists, select

from fediverse import events, ids, jobs
from fediverse.db import Dialect, Prepared
from fediverse.tables.actors import follows
from fediverse.tables.hashtags import tag_follows
from fediverse.tables.statuses import status_tags
from fediverse.tables.timelines import home_entries

# Home timelines filled in the transaction that posts; a job fills the rest.
DIRECTLY: Final = 500

_status, _author, _after, _until, _skipped = (
    bindparam(name, type_=BigInteger) for name in ("status", "author", "after", "until", "skipped")
)
_tags_of_it = select(status_tags.c.tag_id).where(status_tags.c.status_id == _status)
_next: Select[tuple[int]] = (
    select(tag_follows.c.id)
    .where(tag_follows.c.tag_id.in_(_tags_of_it), tag_follows.c.id > _after)
    .order_by(tag_follows.c.id)
    .limit(1)
)
# Whether anybody is left who follows one of its hashtags, and the last of this batch when there are more.
_AHEAD: Final = select(_next.scalar_subquery(), _next.offset(_skipped).scalar_subquery())


def _spread(sql: Dialect) -> Any:
    receiving = select(
        tag_follows.c.actor_id, cast(_status, BigInteger), cast(_author, BigInteger), cast(_status, BigInteger)
    ).where(tag_follows.c.tag_id.in_(_tags_of_it), tag_follows.c.id > _after, tag_follows.c.id <= _until)
    columns = ["actor_id", "status_id", "author_id", "subject_id"]
    statement = sql(home_entries).from_select(columns, receiving).on_conflict_do_nothing()
    return statement.returning(home_entries.c.actor_id)


_SPREAD: Final = Prepared(_spread)


def spread_tagged(tx: Connection, status: Row[Any], *, after: int = 0) -> None:
    """Up to 500 of those who follow a hashtag of the status (by follow id, those after ``after``) have it at home.

    A job does the rest. Only what public timelines list is spread so: no reply to others, nothing for few.
    """
    if not status.listed or not status.tags:
        return
    facts = {"status": status.id, "author": status.author_id, "after": after, "skipped": DIRECTLY - 1}
    first, last = tx.execute(_AHEAD, facts).one()
    if first is None:
        return
    entered = tx.scalars(_SPREAD(tx), {**facts, "until": last if last is not None else ids.MAX_ID}).all()
    if after and entered:  # the first ones hear of it with those who follow the author
        events.after_commit(tx, events.Entered(status.id, tuple(entered)))
    if last is not None:
        # Once, also where a crash has this batch done again.
        payload = {"status_id": status.id, "after": last}
        jobs.enqueue(tx, "spread_tagged", payload, unique_key=f"{status.id}:{last}")


def withdraw_tagged(tx: Connection, actor_id: int, tag_id: int) -> None:
    """What only this hashtag, which is followed no longer, brought into the home timeline is gone from there."""
    other = alias(status_tags, "other")
    tagged = exists().where(status_tags.c.tag_id == tag_id, status_tags.c.status_id == home_entries.c.status_id)
    followed = exists().where(
        follows.c.follower_id == actor_id, follows.c.followee_id == home_entries.c.author_id, follows.c.accepted
    )
    by_another = exists().where(
        other.c.status_id == home_entries.c.status_id,
        tag_follows.c.tag_id == other.c.tag_id,
        tag_follows.c.actor_id == actor_id,
    )
    mine = and_(home_entries.c.actor_id == actor_id, home_entries.c.author_id != actor_id)
    tx.execute(delete(home_entries).where(mine, tagged, ~followed, ~by_another))
