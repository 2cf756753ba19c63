"""Posts by their words, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    Subquery,
    Text,
    and_,
    bindparam,
    cast,
    column,
    exists,
    or_,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from fediverse import ids
from fediverse.clock import Instant
from fediverse.drafts import Visibility
from fediverse.errors import BadRequest
from fediverse.search.language import Query
from fediverse.search.notation import expression
from fediverse.tables.actors import actors, blocks, follows
from fediverse.tables.statuses import HEAD, bookmarks, favourites, mentions, statuses
from fediverse.text import fold_host, split_handle
from fediverse.urls import Urls
from fediverse.visibility import muted_by, shows, visible_where

_me = bindparam("me", type_=BigInteger)
_now = bindparam("now", type_=BigInteger)
_asked = bindparam("asked", type_=Text)
# Times of posts and of their ids may differ by what counts as fresh when a post arrives.
_SLACK = 10 * 60 * 1000
# So many posts are gone through one by one on PostgreSQL.
_NEAR = 1000
# So many matches more than are asked for are looked at, and so many if these do not do.
_SPARE = 100
_FARTHEST = 5000
_NOBODY = 0
_AUTHOR = (
    select(actors.c.id)
    .where(
        actors.c.username_folded == bindparam("username"),
        actors.c.host == bindparam("host"),
        actors.c.deleted_at.is_(None),
    )
    .order_by(actors.c.id.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of what is found is wanted; newest first unless ``min_id`` is given."""

    limit: int = 20
    offset: int = 0
    max_id: int | None = None
    min_id: int | None = None


def posts(
    tx: Connection,
    urls: Urls,
    query: Query,
    part: Slice,
    *,
    viewer_id: int,
    author_id: int | None = None,
    now: Instant,
) -> list[Row[Any]]:
    """The heads of the posts that the viewer finds: those that have to do with the viewer, and what everybody finds.

    ``author_id``, where it is given, is the only one whose posts are wanted. What the viewer may not see, or does not
    want to, is not found.
    """
    authors = _authors(tx, urls, query.authors, viewer_id)
    if author_id is not None:
        authors = [author_id] if not authors or author_id in authors else [_NOBODY]
    not_authors = _authors(tx, urls, query.not_authors, viewer_id)
    forward = part.min_id is not None
    dated = query.since is not None or query.until is not None
    low = max(part.min_id or 0, ids.floor_id(query.since - _SLACK) if query.since is not None else 0)
    high = min(
        part.max_id if part.max_id is not None else ids.MAX_ID,
        ids.floor_id(query.until + _SLACK) if query.until is not None else ids.MAX_ID,
    )
    values = {
        "me": viewer_id,
        "now": now,
        "asked": _expression(tx.dialect.name, query, viewer_id, authors, not_authors),
        "low": low,
        "high": high,
        "since": query.since if query.since is not None else 0,
        "until": query.until if query.until is not None else ids.MAX_ID,
        "limit": part.limit,
        "offset": part.offset,
    }
    first, last = part.offset + part.limit + _SPARE, part.offset + _FARTHEST
    near = _near(tx, forward, values) if tx.dialect.name == "postgresql" else values
    rows: Sequence[Row[Any]] = []
    if near is not None:
        rows = tx.execute(_found(tx.dialect.name, forward, dated, near=True), {**near, "reach": first}).all()
    if len(rows) < part.limit:
        rows = tx.execute(_found(tx.dialect.name, forward, dated, near=False), {**values, "reach": last}).all()
    return list(reversed(rows)) if forward else list(rows)


def _authors(tx: Connection, urls: Urls, handles: Sequence[str], viewer_id: int) -> list[int]:
    """The ids of those whom ``from:`` names; somebody unknown is nobody, who wrote nothing."""
    found = []
    for handle in dict.fromkeys(handles):
        if handle.lower() == "me":
            found.append(viewer_id)
            continue
        try:
            username, host = split_handle(handle)
        except BadRequest:
            found.append(_NOBODY)
            continue
        here = host is None or host in {fold_host(urls.domain), fold_host(urls.host)}
        wanted = {"username": username.lower(), "host": "" if here else host}
        found.append(tx.scalar(_AUTHOR, wanted) or _NOBODY)
    return found


def _near(tx: Connection, forward: bool, values: dict[str, Any]) -> dict[str, Any] | None:
    """The same search among the next posts of the index alone; None where there are no more of them anyway.

    PostgreSQL either reads the index of words, which for a common word yields very many posts to be sorted, or goes
    through the posts from the newest on, which for a rare word takes very long; and it cannot know beforehand. So
    some posts are gone through, and where they do not suffice, the word is not common.
    """
    edge = tx.scalar(_edge(forward), {"low": values["low"], "high": values["high"], "near": _NEAR})
    return {**values, "high" if forward else "low": edge} if edge is not None else None


@lru_cache(2)
def _edge(forward: bool) -> Select[Any]:
    id_ = table("status_words", column("status_id", BigInteger)).c.status_id
    within = (id_ > bindparam("low", type_=BigInteger), id_ < bindparam("high", type_=BigInteger))
    return select(id_).where(*within).order_by(id_.asc() if forward else id_.desc()).offset(bindparam("near")).limit(1)


@lru_cache(16)
def _found(dialect: str, forward: bool, dated: bool, *, near: bool) -> Select[Any]:
    """The posts among the next so many matches, ``reach``, that the viewer finds.

    However many posts of somebody whom the viewer does not see have the words, no more than these are looked at.
    """
    hits = _hits(dialect, forward, near=near)
    statement = (
        select(*HEAD)
        .select_from(hits)
        .join(statuses, statuses.c.id == hits.c.id)
        .where(
            _findable(),
            visible_where(_me),
            shows(statuses.c.author_id, viewer_id=_me),
            statuses.c.author_id.not_in(muted_by(_me, now=_now)),
            statuses.c.author_id.not_in(select(blocks.c.target_id).where(blocks.c.actor_id == _me)),
        )
    )
    if dated:
        statement = statement.where(
            statuses.c.created_at >= bindparam("since", type_=BigInteger),
            statuses.c.created_at < bindparam("until", type_=BigInteger),
        )
    order = hits.c.id.asc() if forward else hits.c.id.desc()
    return statement.order_by(order).limit(bindparam("limit", type_=BigInteger)).offset(bindparam("offset"))


def _hits(dialect: str, forward: bool, *, near: bool) -> Subquery:
    """The ids of the next so many posts in the index that match."""
    id_: ColumnElement[int]
    if dialect == "sqlite":
        index = table("status_words", column("rowid", BigInteger), column("status_words", Text))
        id_ = index.c.rowid
        matching = select(id_.label("id")).where(index.c.status_words.op("MATCH")(_asked))
    else:
        index = table("status_words", column("status_id", BigInteger), column("words", Text))
        id_ = index.c.status_id
        matching = select(id_.label("id")).where(index.c.words.op("@@")(cast(_asked, TSQUERY)))
        if not near:
            whole = matching.cte("matching").prefix_with("MATERIALIZED")
            id_, matching = whole.c.id, select(whole.c.id)
    bounds = (id_ > bindparam("low", type_=BigInteger), id_ < bindparam("high", type_=BigInteger))
    order = id_.asc() if forward else id_.desc()
    return matching.where(*bounds).order_by(order).limit(bindparam("reach", type_=BigInteger)).subquery("hits")


def _findable() -> ColumnElement[bool]:
    """Whether the viewer finds a post at all: the index says so, too, but may lag behind a change of mind."""
    follower = exists().where(follows.c.follower_id == _me, follows.c.followee_id == actors.c.id, follows.c.accepted)
    open_to_all = and_(
        statuses.c.visibility == Visibility.PUBLIC,
        exists()
        .where(actors.c.id == statuses.c.author_id, actors.c.indexable, or_(actors.c.limited_at.is_(None), follower))
        .correlate_except(actors),
    )
    boost = statuses.alias("boost")
    return or_(
        open_to_all,
        statuses.c.author_id == _me,
        *(
            exists().where(mark.c.status_id == statuses.c.id, mark.c.actor_id == _me).correlate_except(mark)
            for mark in (mentions, favourites, bookmarks)
        ),
        exists().where(boost.c.boost_of_id == statuses.c.id, boost.c.author_id == _me).correlate_except(boost),
    )


def _expression(dialect: str, query: Query, viewer_id: int, authors: Sequence[int], not_authors: Sequence[int]) -> str:
    """The search in the words of the database."""
    finders = {"all": ["_p", f"_a{viewer_id}"], "public": ["_p"], "library": [f"_a{viewer_id}"]}[query.scope]
    must = [[[finder] for finder in finders], *([phrase] for phrase in query.must)]
    if authors:
        must.append([[f"_f{author}"] for author in authors])
    must_not = [*query.must_not, *([f"_f{author}"] for author in not_authors)]
    return expression(dialect, must, must_not)
