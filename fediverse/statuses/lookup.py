"""Statuses found again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, bindparam, exists, select

from fediverse.db import Prepared, id_list
from fediverse.drafts import Visibility
from fediverse.errors import NotFound
from fediverse.quick import Quick
from fediverse.tables.actors import actors
from fediverse.tables.statuses import status_edits, status_tags, statuses, tags
from fediverse.text import fold_tag
from fediverse.urls import Urls
from fediverse.visibility import shown_where

_NOT_FOUND = "This post does not exist, or you may not see it."

_id = bindparam("id", type_=BigInteger)
_BY_ID = select(statuses).where(statuses.c.id == _id)
_BY_IDS = Prepared(
    lambda sql: select(statuses).where(sql.within(statuses.c.id, "ids"), statuses.c.deleted_at.is_(None))
)
_BY_URI = select(statuses).where(statuses.c.uri == bindparam("uri"))
_OURS = (
    select(statuses, actors.c.username)
    .join(actors, actors.c.id == statuses.c.author_id)
    .where(statuses.c.id == _id, statuses.c.local)
)
_SEEN = select(statuses).where(statuses.c.id == _id, shown_where(bindparam("me", type_=BigInteger)))
_SEEN_BY_ANYBODY = select(statuses).where(statuses.c.id == _id, shown_where(None))


def uri_of(urls: Urls, status: Row[Any], author: Row[Any]) -> str:
    """The ActivityPub id of a status: stored for remote ones, built for ours. A boost's is its Announce's."""
    if status.uri is not None:
        return str(status.uri)
    if status.boost_of_id is not None:
        return urls.activity(author.username, status.id)
    return urls.status(author.username, status.id)


def by_id(tx: Connection, status_id: int) -> Row[Any] | None:
    """The status, deleted or not."""
    return tx.execute(_BY_ID, {"id": status_id}).first()


def by_ids(tx: Connection, status_ids: Iterable[int]) -> dict[int, Row[Any]]:
    """The statuses that exist and are not deleted, by id."""
    return {row.id: row for row in tx.execute(_BY_IDS(tx), {"ids": id_list(tx, status_ids)})}


def by_key(tx: Connection, author_id: int, idempotency_key: str) -> Row[Any] | None:
    """What the author posted under this key, unless it was deleted."""
    return tx.execute(
        select(statuses).where(
            statuses.c.author_id == author_id,
            statuses.c.idempotency_key == idempotency_key,
            statuses.c.deleted_at.is_(None),
        )
    ).first()


def by_uri(tx: Connection, urls: Urls, uri: str) -> Row[Any] | None:
    """The status with this ActivityPub id (or, for ours, page address), deleted or not."""
    local = urls.parse(uri)
    if local is None:
        return tx.execute(_BY_URI, {"uri": uri}).first()
    if local.kind not in {"status", "activity"}:
        return None
    found = tx.execute(_OURS, {"id": local.id}).first()
    return found if found is not None and found.username == local.username else None


def get_visible(tx: Connection, status_id: int, viewer_id: int | None) -> Row[Any]:
    """The status, which the viewer may see. Raises NotFound: what may not be seen does not exist."""
    statement = _SEEN_BY_ANYBODY if viewer_id is None else _SEEN
    row = tx.execute(statement, {"id": status_id, "me": viewer_id}).first()
    if row is None:
        raise NotFound(_NOT_FOUND)
    return row


def visible_among(tx: Connection, status_ids: Iterable[int], viewer_id: int | None) -> Sequence[Row[Any]]:
    """Those of the statuses that the viewer may see."""
    wanted = statuses.c.id.in_(list(status_ids))
    return tx.execute(select(statuses).where(wanted, shown_where(viewer_id))).all()


def get_own(tx: Connection, status_id: int, author_id: int) -> Row[Any]:
    """The author's own post, not a boost. Raises NotFound for anybody else's."""
    row = tx.execute(
        select(statuses).where(
            statuses.c.id == status_id,
            statuses.c.author_id == author_id,
            statuses.c.boost_of_id.is_(None),
            statuses.c.deleted_at.is_(None),
        )
    ).first()
    if row is None:
        raise NotFound(_NOT_FOUND)
    return row


def history(tx: Connection, status_id: int) -> Sequence[Row[Any]]:
    """The versions of a status, oldest first; empty when it was never edited."""
    return tx.execute(
        select(status_edits).where(status_edits.c.status_id == status_id).order_by(status_edits.c.id)
    ).all()


def find_tag(tx: Connection, name: str, *, hidden: bool = False) -> Row[Any] | None:
    """The hashtag, however it is spelt, if anybody may know that it is in use; ``hidden``: in any case."""
    found = (_TAG if hidden else _OPEN_TAG)(tx, {"name": fold_tag(name)})
    return found[0] if found else None


def tags_named(tx: Connection, prefix: str, *, limit: int, offset: int = 0) -> Sequence[Row[Any]]:
    """Hashtags that begin with ``prefix`` and that anybody may know to be in use, shortest first."""
    folded = fold_tag(prefix)
    return tx.execute(
        select(tags)
        .where(tags.c.name >= folded, tags.c.name < folded + "\U0010ffff", _used_openly())
        .order_by(tags.c.name)
        .limit(limit)
        .offset(offset)
    ).all()


def _used_openly() -> ColumnElement[bool]:
    # A hashtag of posts for few may itself be a secret: "#LayoffsOnMonday".
    return (
        exists()
        .where(
            status_tags.c.tag_id == tags.c.id,
            statuses.c.id == status_tags.c.status_id,
            statuses.c.visibility == Visibility.PUBLIC,
            statuses.c.deleted_at.is_(None),
        )
        .correlate_except(status_tags, statuses)
    )


_NAMED_TAG = select(tags).where(tags.c.name == bindparam("name"))
_TAG = Quick(lambda _sql: _NAMED_TAG)
_OPEN_TAG = Quick(lambda _sql: _NAMED_TAG.where(_used_openly()))
