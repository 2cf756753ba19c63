"""Who may see a status, and whose posts show at all: conditions for any query over statuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    cast,
    exists,
    or_,
    select,
    union_all,
)

from fediverse.clock import Instant
from fediverse.db import Prepared, id_list
from fediverse.drafts import Visibility
from fediverse.tables.actors import actors, blocks, follows, mutes
from fediverse.tables.relations import hidden_hosts
from fediverse.tables.statuses import mentions, statuses


def visible_where(viewer_id: int | ColumnElement[int] | None, status: FromClause = statuses) -> ColumnElement[bool]:
    """The condition under which the viewer (None: anybody) may see a status of ``status``.

    Deleted ones nobody sees, nor those of suspended authors, nor those of somebody who blocks the viewer.
    """
    # Each looks into a table of its own, also where the query around it has joined the same one.
    author_here = (
        exists()
        .where(actors.c.id == status.c.author_id, actors.c.suspended_at.is_(None), actors.c.deleted_at.is_(None))
        .correlate_except(actors)
    )
    open_to_all = status.c.visibility <= Visibility.UNLISTED
    if viewer_id is None:
        return and_(status.c.deleted_at.is_(None), open_to_all, author_here)
    addressed = (
        exists().where(mentions.c.actor_id == viewer_id, mentions.c.status_id == status.c.id).correlate_except(mentions)
    )
    follower = (
        exists()
        .where(follows.c.follower_id == viewer_id, follows.c.followee_id == status.c.author_id, follows.c.accepted)
        .correlate_except(follows)
    )
    blocked = (
        exists()
        .where(blocks.c.actor_id == status.c.author_id, blocks.c.target_id == viewer_id)
        .correlate_except(blocks)
    )
    return and_(
        status.c.deleted_at.is_(None),
        author_here,
        ~blocked,
        or_(
            open_to_all,
            status.c.author_id == viewer_id,
            addressed,
            and_(status.c.visibility == Visibility.FOLLOWERS, follower),
        ),
    )


def shown_where(viewer_id: int | ColumnElement[int] | None) -> ColumnElement[bool]:
    """The condition for the viewer (None: anybody) to see a row of ``statuses`` and, of a boost, what it holds.

    A boost must not show what is hidden by itself: the post of somebody suspended, or who blocks the viewer.
    """
    subject = statuses.alias("subject")
    held = exists().where(subject.c.id == statuses.c.boost_of_id, visible_where(viewer_id, subject))
    return and_(visible_where(viewer_id), or_(statuses.c.boost_of_id.is_(None), held))


def visible(tx: Connection, status: Row[Any], viewer_id: int | None) -> bool:
    """Whether the viewer (None: anybody) may see the status."""
    statement = _VISIBLE_TO_ANYBODY if viewer_id is None else _VISIBLE
    return bool(tx.scalar(statement, {"id": status.id, "me": viewer_id}))


_id = bindparam("id", type_=BigInteger)
_VISIBLE = select(statuses.c.id).where(statuses.c.id == _id, shown_where(bindparam("me", type_=BigInteger)))
_VISIBLE_TO_ANYBODY = select(statuses.c.id).where(statuses.c.id == _id, shown_where(None))


def muted_by(actor_id: int | ColumnElement[int], *, now: Instant | ColumnElement[int]) -> Select[tuple[int]]:
    """The ids of those whom the actor mutes."""
    return select(mutes.c.target_id).where(
        mutes.c.actor_id == actor_id, or_(mutes.c.expires_at.is_(None), mutes.c.expires_at > now)
    )


def unwelcome(tx: Connection, authors: Sequence[Row[Any]], *, now: Instant) -> set[int]:
    """Those actors here to whom nothing of any of the authors shows: by a block either way, a mute, a hidden host."""
    values = {
        "authors": id_list(tx, {author.id for author in authors}),
        "hosts": sorted({author.host for author in authors if author.host}),
        "now": now,
    }
    return set(tx.scalars(_UNWELCOME(tx), values))


_UNWELCOME = Prepared(
    lambda sql: union_all(
        select(blocks.c.actor_id).where(sql.within(blocks.c.target_id, "authors")),
        select(blocks.c.target_id).where(sql.within(blocks.c.actor_id, "authors")),
        select(mutes.c.actor_id).where(
            sql.within(mutes.c.target_id, "authors"),
            or_(mutes.c.expires_at.is_(None), mutes.c.expires_at > bindparam("now", type_=BigInteger)),
        ),
        select(hidden_hosts.c.actor_id).where(hidden_hosts.c.host.in_(bindparam("hosts", expanding=True))),
    )
)


def shows(
    author_id: ColumnElement[int], *, limited: bool = True, viewer_id: ColumnElement[int] | None = None
) -> ColumnElement[bool]:
    """Whether the author's posts show at all; ``limited=False`` leaves out limited accounts too.

    To a viewer nobody shows who is on a host that the viewer hides.
    """
    conditions = [actors.c.id == author_id, actors.c.suspended_at.is_(None), actors.c.deleted_at.is_(None)]
    if not limited:
        conditions.append(actors.c.limited_at.is_(None))
    if viewer_id is not None:
        hidden = select(hidden_hosts.c.host).where(hidden_hosts.c.actor_id == viewer_id)
        conditions.append(actors.c.host.not_in(hidden))
    return exists().where(*conditions).correlate_except(actors)


def language_mark(language: str | None) -> str:
    """What to look for in the languages of a follow: what has no language is wanted by everybody."""
    return f",{language.partition('-')[0].lower()}," if language else ","


def wants_language(mark: str | ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a follow is of posts in that language (:func:`language_mark`) too."""
    return or_(follows.c.languages.is_(None), follows.c.languages.contains(mark))


def to_somebody_else(status: FromClause) -> ColumnElement[bool]:
    """Whether a row of ``status`` is a reply to somebody other than its author."""
    return or_(
        and_(status.c.in_reply_to_author_id.is_not(None), status.c.in_reply_to_author_id != status.c.author_id),
        and_(status.c.in_reply_to_author_id.is_(None), status.c.in_reply_to_uri.is_not(None)),
    )


def has_media(status: FromClause) -> ColumnElement[bool]:
    """Whether a row of ``status`` has attachments."""
    return cast(status.c.attachments, Text) != "[]"
