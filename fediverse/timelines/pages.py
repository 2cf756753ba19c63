"""Timelines that are read from the statuses themselves: public, hashtag, profile, mentions.

All of them select the heads of statuses, for ``loading.statuses``. Statements are built once per combination of what
may be asked for, with bound parameters: building one costs more than executing it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, Select, and_, bindparam, exists, not_, or_, select

from fediverse.clock import Instant
from fediverse.drafts import Visibility
from fediverse.paging import Page, Shape
from fediverse.quick import Quick
from fediverse.tables.actors import blocks
from fediverse.tables.statuses import HEAD, mentions, pins, status_tags, statuses
from fediverse.visibility import has_media, muted_by, shown_where, shows, to_somebody_else

_KEPT = 256

_me = bindparam("me", type_=BigInteger)
_now = bindparam("now", type_=BigInteger)
_author = bindparam("author", type_=BigInteger)


@dataclass(frozen=True, slots=True)
class Which:
    """Which posts of a public timeline are wanted."""

    local: bool = False
    remote: bool = False
    only_media: bool = False

    def of(self, statement: Select[Any], *, signed_in: bool) -> Select[Any]:
        """The statement narrowed to them, and to those whom the viewer wants to see."""
        if self.local:
            statement = statement.where(statuses.c.local)
        if self.remote:
            statement = statement.where(not_(statuses.c.local))
        if self.only_media:
            statement = statement.where(has_media(statuses))
        if signed_in:
            statement = statement.where(
                statuses.c.author_id.not_in(muted_by(_me, now=_now)),
                statuses.c.author_id.not_in(select(blocks.c.target_id).where(blocks.c.actor_id == _me)),
                statuses.c.author_id.not_in(select(blocks.c.actor_id).where(blocks.c.target_id == _me)),
            )
        return statement


def public(
    tx: Connection,
    page: Page,
    *,
    viewer_id: int | None,
    now: Instant,
    local: bool = False,
    remote: bool = False,
    only_media: bool = False,
) -> list[Row[Any]]:
    """A page of the public timeline: everybody's public posts that are no boosts and no replies to others."""
    ask = _public(Which(local, remote, only_media), page.shape, viewer_id is not None)
    return page.newest_first(ask(tx, {"me": viewer_id, "now": now, **page.parameters}))


@lru_cache(_KEPT)
def _public(which: Which, shape: Shape, signed_in: bool) -> Quick:
    shown = shows(statuses.c.author_id, viewer_id=_me if signed_in else None)
    statement = select(*HEAD).where(statuses.c.listed, shown)
    return Quick(lambda _sql: Page.bounded(which.of(statement, signed_in=signed_in), statuses.c.id, shape))


def link(tx: Connection, card_id: int, page: Page, *, viewer_id: int | None, now: Instant) -> list[Row[Any]]:
    """A page of the public posts whose first link has this card."""
    statement = _link(page.shape, viewer_id is not None)
    values = {"me": viewer_id, "now": now, "card": card_id, **page.parameters}
    return page.newest_first(tx.execute(statement, values).all())


@lru_cache(_KEPT)
def _link(shape: Shape, signed_in: bool) -> Select[Any]:
    statement = select(*HEAD).where(
        statuses.c.card_id == bindparam("card", type_=BigInteger),
        statuses.c.visibility == Visibility.PUBLIC,
        statuses.c.deleted_at.is_(None),
        shows(statuses.c.author_id, limited=False, viewer_id=_me if signed_in else None),
    )
    return Page.bounded(Which().of(statement, signed_in=signed_in), statuses.c.id, shape)


def tag(
    tx: Connection,
    tag_ids: Sequence[int],
    page: Page,
    *,
    viewer_id: int | None,
    now: Instant,
    all_of: Sequence[int] = (),
    none_of: Sequence[int] = (),
    local: bool = False,
    remote: bool = False,
    only_media: bool = False,
) -> list[Row[Any]]:
    """A page of the public posts under any of ``tag_ids``, all of ``all_of`` and none of ``none_of``."""
    counts = (len(tag_ids), len(all_of), len(none_of))
    statement = _tag(Which(local, remote, only_media), page.shape, viewer_id is not None, counts)
    named = {
        f"{group}_{number}": tag_id
        for group, ids in (("any", tag_ids), ("all", all_of), ("none", none_of))
        for number, tag_id in enumerate(ids)
    }
    values = {"me": viewer_id, "now": now, **named, **page.parameters}
    return page.newest_first(statement(tx, values))


@lru_cache(_KEPT)
def _tag(which: Which, shape: Shape, signed_in: bool, counts: tuple[int, int, int]) -> Quick:
    wanted, required, unwanted = counts
    shown = (
        statuses.c.visibility == Visibility.PUBLIC,
        statuses.c.deleted_at.is_(None),
        shows(statuses.c.author_id, limited=False, viewer_id=_me if signed_in else None),
    )
    column: ColumnElement[int] = statuses.c.id
    if wanted == 1:  # the usual case pages along the primary key of status_tags
        column = status_tags.c.status_id
        statement = (
            select(*HEAD)
            .join(status_tags, status_tags.c.status_id == statuses.c.id)
            .where(status_tags.c.tag_id == bindparam("any_0", type_=BigInteger), *shown)
        )
    else:
        statement = select(*HEAD).where(or_(*(_tagged(f"any_{number}") for number in range(wanted))), *shown)
    statement = statement.where(*(_tagged(f"all_{number}") for number in range(required)))
    statement = statement.where(*(not_(_tagged(f"none_{number}")) for number in range(unwanted)))
    narrowed = which.of(statement, signed_in=signed_in)
    return Quick(lambda _sql: Page.bounded(narrowed, column, shape))


def account(
    tx: Connection,
    author_id: int,
    page: Page,
    *,
    viewer_id: int | None,
    exclude_replies: bool = False,
    exclude_boosts: bool = False,
    only_media: bool = False,
    pinned: bool = False,
    tag_id: int | None = None,
) -> list[Row[Any]]:
    """A page of what the author posted and boosted, as far as the viewer may see it."""
    statement = _account(
        page.shape,
        signed_in=viewer_id is not None,
        exclude_replies=exclude_replies,
        exclude_boosts=exclude_boosts,
        only_media=only_media,
        pinned=pinned,
        tagged=tag_id is not None,
    )
    values = {"author": author_id, "me": viewer_id, "tag": tag_id, **page.parameters}
    rows = tx.execute(statement, values).all()
    return list(rows) if pinned else page.newest_first(rows)


@lru_cache(_KEPT)
def _account(
    shape: Shape,
    *,
    signed_in: bool,
    exclude_replies: bool,
    exclude_boosts: bool,
    only_media: bool,
    pinned: bool,
    tagged: bool,
) -> Select[Any]:
    viewer = _me if signed_in else None
    statement = select(*HEAD).where(statuses.c.author_id == _author, shown_where(viewer))
    if exclude_replies:
        statement = statement.where(not_(to_somebody_else(statuses)))
    if exclude_boosts:
        statement = statement.where(statuses.c.boost_of_id.is_(None))
    if only_media:
        statement = statement.where(has_media(statuses))
    if tagged:
        statement = statement.where(_tagged("tag"))
    if pinned:
        statement = statement.join(pins, and_(pins.c.status_id == statuses.c.id, pins.c.actor_id == _author))
        return Page.bounded(statement, pins.c.id, shape)
    return Page.bounded(statement, statuses.c.id, shape)


def mentioning(tx: Connection, actor_id: int, page: Page, *, now: Instant) -> list[Row[Any]]:
    """A page of the mentions section: what names or answers the actor."""
    values = {"me": actor_id, "now": now, **page.parameters}
    return page.newest_first(tx.execute(_mentioning(page.shape), values).all())


@lru_cache(_KEPT)
def _mentioning(shape: Shape) -> Select[Any]:
    statement = (
        select(*HEAD)
        .join(mentions, mentions.c.status_id == statuses.c.id)
        .where(
            mentions.c.actor_id == _me,
            statuses.c.author_id != _me,
            statuses.c.deleted_at.is_(None),
            shows(statuses.c.author_id, viewer_id=_me),
            statuses.c.author_id.not_in(muted_by(_me, now=_now)),
            statuses.c.author_id.not_in(select(blocks.c.target_id).where(blocks.c.actor_id == _me)),
            statuses.c.author_id.not_in(select(blocks.c.actor_id).where(blocks.c.target_id == _me)),
        )
    )
    return Page.bounded(statement, mentions.c.status_id, shape)


def _tagged(parameter: str) -> ColumnElement[bool]:
    other = status_tags.alias()  # a name of its own: the statement around it may read status_tags too
    tag_id = bindparam(parameter, type_=BigInteger)
    return exists().where(other.c.tag_id == tag_id, other.c.status_id == statuses.c.id)
