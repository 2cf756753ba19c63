"""What a list shows: those entries of its owner's home timeline that are of its members.

A list has no entries of its own: all that its members may show to the owner is in the owner's home timeline already,
so that posting costs the same on however many lists the author is. Members of exclusive lists are passed over when
home is read. A page is looked for among the latest entries of home first, which nearly always are enough. Where members
post rarely and home is busy that could go on and on; then each member's latest posts are taken instead, of
which there are as many as members times the length of the page.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    true,
)

from fediverse.clock import Instant
from fediverse.db import Dialect, Prepared, id_list
from fediverse.ids import MAX_ID
from fediverse.paging import Page, Shape
from fediverse.quick import Quick
from fediverse.tables.lists import list_members, lists
from fediverse.tables.statuses import HEAD, statuses
from fediverse.tables.timelines import home_entries
from fediverse.timelines.entries import wanted_by

# Of so many of the latest entries of home those of a list's members are taken, before it is done the other way.
_LOOKED_THROUGH: Final = 400

_me, _list, _now = (bindparam(name, type_=BigInteger) for name in ("me", "list", "now"))
_policy = bindparam("policy", type_=Text)


def list_(tx: Connection, row: Row[Any], page: Page, *, now: Instant) -> list[Row[Any]]:
    """A page of what a list (a row of ``lists``) shows to its owner: heads, for ``loading.statuses``."""
    values = {"me": row.actor_id, "list": row.id, "now": now, "window": _LOOKED_THROUGH, "one": 1}
    values |= {"policy": row.replies_policy, **page.parameters}
    found = _among_the_latest(page.shape)(tx, values)
    if len(found) < page.limit:
        found = _of_each_member(page.shape)(tx, values)
    return page.newest_first(found)


def showing(tx: Connection, status_id: int, *, among: Collection[int]) -> set[int]:
    """Those of the lists that show the status (a boost is meant by its own id): what open streams ask."""
    if not among:
        return set()
    return set(tx.scalars(_SHOWING(tx), {"status": status_id, "among": id_list(tx, among)}))


def away(tx: Connection, author_id: int, *, among: Collection[int]) -> set[int]:
    """Those of the actors whose exclusive lists keep the author's posts out of their home timelines."""
    if not among:
        return set()
    return set(tx.scalars(_AWAY(tx), {"author": author_id, "among": id_list(tx, among)}))


def _member(actor_id: ColumnElement[int], list_id: ColumnElement[int]) -> ColumnElement[bool]:
    # A name of its own: the statement around it may read the members too.
    other = list_members.alias()
    return exists(other.c.id).where(other.c.list_id == list_id, other.c.actor_id == actor_id).correlate_except(other)


def _answers_whom_it_may(
    status: FromClause, policy: ColumnElement[str], list_id: ColumnElement[int], owner_id: ColumnElement[int]
) -> ColumnElement[bool]:
    """The list's rule for replies; home holds none but those to somebody followed or to the owner."""
    addressee = status.c.in_reply_to_author_id
    return or_(
        addressee.is_(None),
        addressee == status.c.author_id,
        addressee == owner_id,
        policy == "followed",
        and_(policy == "list", _member(addressee, list_id)),
    )


@cache
def _among_the_latest(shape: Shape) -> Quick:
    # Up to the last of so many entries: a subquery of the entries themselves would be read to its end each time.
    other = home_entries.alias("other")
    window = Page.bounded(
        select(other.c.status_id).where(other.c.actor_id == _me), other.c.status_id, shape, limit="one"
    )
    end = func.coalesce(
        window.offset(bindparam("window", type_=BigInteger)).scalar_subquery(), MAX_ID if shape[2] else 0
    )
    entries = home_entries
    subject = statuses.alias("subject")
    statement = (
        select(*HEAD)
        .select_from(entries)
        .join(statuses, statuses.c.id == entries.c.status_id)
        .join(subject, subject.c.id == entries.c.subject_id)
        .where(
            entries.c.actor_id == _me,
            entries.c.status_id <= end if shape[2] else entries.c.status_id >= end,
            _member(entries.c.author_id, _list),
            wanted_by(_me, entries, subject, now=_now),
            _answers_whom_it_may(statuses, _policy, _list, _me),
        )
    )
    return Quick(lambda _sql: Page.bounded(statement, entries.c.status_id, shape))


@cache
def _of_each_member(shape: Shape) -> Quick:
    def build(sql: Dialect) -> Select[Any]:
        latest = statuses.alias("latest")
        entries = home_entries.alias("entries")
        subject = statuses.alias("subject")
        found = (
            select(latest.c.id)
            .join(entries, and_(entries.c.actor_id == _me, entries.c.status_id == latest.c.id))
            .join(subject, subject.c.id == entries.c.subject_id)
            .where(
                latest.c.author_id == list_members.c.actor_id,
                wanted_by(_me, entries, subject, now=_now),
                _answers_whom_it_may(latest, _policy, _list, _me),
            )
            .correlate(list_members)
        )
        found = Page.bounded(found, latest.c.id, shape)
        statement = select(*HEAD).where(list_members.c.list_id == _list)
        if sql.name == "sqlite":  # which has no LATERAL, but looks up what a subquery names
            statement = statement.select_from(list_members.join(statuses, statuses.c.id.in_(found)))
        else:
            each = found.lateral("each")
            statement = statement.select_from(
                list_members.join(each, true()).join(statuses, statuses.c.id == each.c.id)
            )
        return Page.bounded(statement, statuses.c.id, shape)

    return Quick(build)


def _showing(sql: Dialect) -> Select[Any]:
    return (
        select(lists.c.id)
        .join(home_entries, home_entries.c.actor_id == lists.c.actor_id)
        .join(statuses, statuses.c.id == home_entries.c.status_id)
        .where(
            sql.within(lists.c.id, "among"),
            home_entries.c.status_id == bindparam("status", type_=BigInteger),
            _member(home_entries.c.author_id, lists.c.id),
            _answers_whom_it_may(statuses, lists.c.replies_policy, lists.c.id, lists.c.actor_id),
        )
    )


_SHOWING: Final = Prepared(_showing)
_AWAY: Final = Prepared(
    lambda sql: (
        select(lists.c.actor_id)
        .join(list_members, list_members.c.list_id == lists.c.id)
        .where(
            lists.c.exclusive,
            sql.within(lists.c.actor_id, "among"),
            list_members.c.actor_id == bindparam("author", type_=BigInteger),
        )
        .distinct()
    )
)
