"""Timelines that are read from the statuses themselves: public, hashtag, profile, mentions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Row, Select, and_, exists, not_, or_, select

from fediverse.clock import Instant
from fediverse.drafts import Visibility
from fediverse.paging import Page
from fediverse.tables.actors import blocks
from fediverse.tables.statuses import mentions, pins, status_tags, statuses
from fediverse.visibility import has_media, muted_by, shows, to_somebody_else, visible_where


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
    statement = select(statuses).where(statuses.c.listed, shows(statuses.c.author_id))
    if local:
        statement = statement.where(statuses.c.local)
    if remote:
        statement = statement.where(not_(statuses.c.local))
    return _browse(tx, statement, page, viewer_id=viewer_id, now=now, only_media=only_media)


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
    statement = select(statuses).where(
        statuses.c.id.in_(select(status_tags.c.status_id).where(status_tags.c.tag_id.in_(tag_ids))),
        statuses.c.visibility == Visibility.PUBLIC,
        statuses.c.deleted_at.is_(None),
        shows(statuses.c.author_id, limited=False),
    )
    if len(tag_ids) == 1:  # the usual case pages along the primary key of status_tags
        statement = (
            select(statuses)
            .join(status_tags, status_tags.c.status_id == statuses.c.id)
            .where(
                status_tags.c.tag_id == tag_ids[0],
                statuses.c.visibility == Visibility.PUBLIC,
                statuses.c.deleted_at.is_(None),
                shows(statuses.c.author_id, limited=False),
            )
        )
    for wanted in all_of:
        statement = statement.where(_tagged(statuses, wanted))
    for unwanted in none_of:
        statement = statement.where(not_(_tagged(statuses, unwanted)))
    if local:
        statement = statement.where(statuses.c.local)
    if remote:
        statement = statement.where(not_(statuses.c.local))
    column = status_tags.c.status_id if len(tag_ids) == 1 else statuses.c.id
    return _browse(tx, statement, page, viewer_id=viewer_id, now=now, only_media=only_media, column=column)


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
    statement = select(statuses).where(statuses.c.author_id == author_id, visible_where(viewer_id))
    subject = statuses.alias("subject")
    statement = statement.where(
        or_(
            statuses.c.boost_of_id.is_(None),
            exists().where(subject.c.id == statuses.c.boost_of_id, visible_where(viewer_id, subject)),
        )
    )
    if exclude_replies:
        statement = statement.where(not_(to_somebody_else(statuses)))
    if exclude_boosts:
        statement = statement.where(statuses.c.boost_of_id.is_(None))
    if only_media:
        statement = statement.where(has_media(statuses))
    if tag_id is not None:
        statement = statement.where(_tagged(statuses, tag_id))
    if pinned:
        statement = statement.join(pins, and_(pins.c.status_id == statuses.c.id, pins.c.actor_id == author_id))
        return list(tx.execute(page.select(statement, pins.c.id)).all())
    return page.newest_first(tx.execute(page.select(statement, statuses.c.id)).all())


def mentioning(tx: Connection, actor_id: int, page: Page, *, now: Instant) -> list[Row[Any]]:
    """A page of the mentions section: what names or answers the actor."""
    statement = (
        select(statuses)
        .join(mentions, mentions.c.status_id == statuses.c.id)
        .where(
            mentions.c.actor_id == actor_id,
            statuses.c.author_id != actor_id,
            statuses.c.deleted_at.is_(None),
            shows(statuses.c.author_id),
            statuses.c.author_id.not_in(muted_by(actor_id, now=now)),
            statuses.c.author_id.not_in(select(blocks.c.target_id).where(blocks.c.actor_id == actor_id)),
        )
    )
    return page.newest_first(tx.execute(page.select(statement, mentions.c.status_id)).all())


def _tagged(status: FromClause, tag_id: int) -> ColumnElement[bool]:
    other = status_tags.alias()  # a name of its own: the statement around it may read status_tags too
    return exists().where(other.c.tag_id == tag_id, other.c.status_id == status.c.id)


def _browse(
    tx: Connection,
    statement: Select[Any],
    page: Page,
    *,
    viewer_id: int | None,
    now: Instant,
    only_media: bool,
    column: ColumnElement[int] = statuses.c.id,
) -> list[Row[Any]]:
    if only_media:
        statement = statement.where(has_media(statuses))
    if viewer_id is not None:
        statement = statement.where(
            statuses.c.author_id.not_in(muted_by(viewer_id, now=now)),
            statuses.c.author_id.not_in(select(blocks.c.target_id).where(blocks.c.actor_id == viewer_id)),
            statuses.c.author_id.not_in(select(blocks.c.actor_id).where(blocks.c.target_id == viewer_id)),
        )
    return page.newest_first(tx.execute(page.select(statement, column)).all())
