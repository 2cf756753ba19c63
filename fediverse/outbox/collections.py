"""What an actor here shows to other servers: its posts as documents, and its collections. Reads only.

Nothing here decides by itself who may see what: rows come from queries that know whom they are for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, select

from fediverse import documents, loading, timelines
from fediverse.actors import directory
from fediverse.documents import Document
from fediverse.drafts import Visibility
from fediverse.outbox import activities
from fediverse.paging import Page
from fediverse.statuses.lookup import by_ids, uri_of
from fediverse.tables.actors import actors, follows
from fediverse.tables.statuses import pins, statuses
from fediverse.urls import Urls
from fediverse.visibility import visible_where

PAGE: Final = 20
RELATIONS: Final = 100
_REPLIES_INLINE: Final = 5


def notes(tx: Connection, urls: Urls, rows: Sequence[Row[Any]], author: Row[Any]) -> list[Document]:
    """The Notes of these local posts, in their order; two queries for all."""
    parents = _parent_uris(tx, urls, rows)
    return [documents.note_document(urls, row, author, parent_uri=parents.get(row.id)) for row in rows]


def note(tx: Connection, urls: Urls, row: Row[Any], author: Row[Any]) -> Document:
    """The Note of a local post; with it its first public replies, for servers that read no further."""
    parents = _parent_uris(tx, urls, [row])
    if not Visibility(row.visibility).is_public:
        return documents.note_document(urls, row, author, parent_uri=parents.get(row.id))
    first = replies(tx, urls, row.id, after=0, limit=_REPLIES_INLINE + 1)
    more = f"{urls.replies(author.username, row.id)}?page=true&min_id={first[-2][0]}" if len(first) > 5 else None
    return documents.note_document(
        urls,
        row,
        author,
        parent_uri=parents.get(row.id),
        replies=[uri for _, uri in first[:_REPLIES_INLINE]],
        replies_next=more,
    )


def outbox_activities(tx: Connection, urls: Urls, rows: Sequence[Row[Any]], author: Row[Any]) -> list[Document]:
    """The Create or Announce of each of the author's posts and boosts, in their order."""
    own = [row for row in rows if row.boost_of_id is None]
    created = dict(zip([row.id for row in own], notes(tx, urls, own, author), strict=True))
    subjects = by_ids(tx, [row.boost_of_id for row in rows if row.boost_of_id is not None])
    authors = directory.by_ids(tx, [subject.author_id for subject in subjects.values()])
    found = []
    for row in rows:
        if row.boost_of_id is None:
            found.append(activities.create(urls, created[row.id]))
        elif row.boost_of_id in subjects:
            subject = subjects[row.boost_of_id]
            found.append(_announce(urls, row, author, subject, authors[subject.author_id]))
    return found


def outbox_page(tx: Connection, author: Row[Any], page: Page) -> list[Row[Any]]:
    """What anybody may see of what the author posted and boosted, newest first."""
    return loading.whole(tx, timelines.account(tx, author.id, page, viewer_id=None))


def outbox_total(tx: Connection, author: Row[Any]) -> int:
    """How many posts and boosts there are in the outbox: none that is not public counts, or the total would tell."""
    shown = select(func.count()).select_from(statuses).where(statuses.c.author_id == author.id, visible_where(None))
    return tx.scalar(shown) or 0


def featured(tx: Connection, urls: Urls, author: Row[Any]) -> list[Document]:
    """The author's pinned posts that anybody may see, the latest pin first."""
    rows = tx.execute(
        select(statuses)
        .join(pins, pins.c.status_id == statuses.c.id)
        .where(pins.c.actor_id == author.id, statuses.c.author_id == author.id, visible_where(None))
        .order_by(pins.c.id.desc())
    ).all()
    return notes(tx, urls, rows, author)


def replies(tx: Connection, urls: Urls, status_id: int, *, after: int, limit: int) -> list[tuple[int, str]]:
    """The first ``limit`` public replies after the id ``after``: (id, uri), oldest first."""
    rows: Iterable[Any] = tx.execute(
        select(statuses.c.id, statuses.c.uri, statuses.c.boost_of_id, actors.c.username)
        .join(actors, actors.c.id == statuses.c.author_id)
        .where(statuses.c.in_reply_to_id == status_id, statuses.c.id > after, visible_where(None))
        .order_by(statuses.c.id)
        .limit(limit)
    )
    return [(row.id, uri_of(urls, row, row)) for row in rows]


def related(
    tx: Connection, urls: Urls, actor: Row[Any], *, followers: bool, before: int | None
) -> list[tuple[int, str]]:
    """A page of who follows the actor, or whom it follows: (id of the follow, actor's id), newest first."""
    mine, other = _ends(followers)
    where: list[ColumnElement[bool]] = [mine == actor.id, follows.c.accepted, *_shown()]
    if before is not None:
        where.append(follows.c.id < before)
    rows = tx.execute(
        select(follows.c.id.label("follow_id"), actors)
        .join_from(follows, actors, actors.c.id == other)
        .where(*where)
        .order_by(follows.c.id.desc())
        .limit(RELATIONS)
    )
    return [(row.follow_id, directory.uri_of(urls, row)) for row in rows]


def may_fetch(tx: Connection, status: Row[Any], actor_id: int) -> bool:
    """Whether a remote actor may have a local post that is not public.

    Whom it addresses may. A post for followers also goes to whoever signs on a server where there is a follower:
    servers fetch for their people with one key.
    """
    if tx.scalar(select(statuses.c.id).where(statuses.c.id == status.id, visible_where(actor_id))) is not None:
        return True
    if status.visibility != Visibility.FOLLOWERS or status.deleted_at is not None:
        return False
    signer = directory.by_id(tx, actor_id)
    if signer is None or not signer.host:
        return False
    neighbour = (
        select(follows.c.id)
        .join(actors, actors.c.id == follows.c.follower_id)
        .where(follows.c.followee_id == status.author_id, follows.c.accepted, actors.c.host == signer.host)
    )
    return tx.scalar(neighbour.limit(1)) is not None


def _announce(urls: Urls, boost: Row[Any], booster: Row[Any], subject: Row[Any], subject_author: Row[Any]) -> Document:
    return activities.announce(
        urls,
        booster.username,
        boost.id,
        object_uri=uri_of(urls, subject, subject_author),
        author_uri=directory.uri_of(urls, subject_author),
        visibility=Visibility(boost.visibility),
        published=boost.created_at,
    )


def _parent_uris(tx: Connection, urls: Urls, rows: Sequence[Row[Any]]) -> dict[int, str]:
    """The id of what each of the posts answers, by the post's id."""
    found = {row.id: str(row.in_reply_to_uri) for row in rows if row.in_reply_to_uri}
    wanted = {row.in_reply_to_id for row in rows if row.in_reply_to_id is not None}
    if not wanted:
        return found
    columns = (statuses.c.id, statuses.c.uri, statuses.c.boost_of_id, actors.c.username)
    parents: Iterable[Any] = tx.execute(
        select(*columns).join(actors, actors.c.id == statuses.c.author_id).where(statuses.c.id.in_(wanted))
    )
    uris = {parent.id: uri_of(urls, parent, parent) for parent in parents}
    return found | {row.id: uris[row.in_reply_to_id] for row in rows if row.in_reply_to_id in uris}


def _ends(followers: bool) -> tuple[ColumnElement[int], ColumnElement[int]]:
    if followers:
        return follows.c.followee_id, follows.c.follower_id
    return follows.c.follower_id, follows.c.followee_id


def _shown() -> tuple[ColumnElement[bool], ...]:
    return (actors.c.suspended_at.is_(None), actors.c.deleted_at.is_(None))
