"""Local posts and boosts told to other servers, in the transaction that makes, changes or deletes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from fediverse import documents, ids
from fediverse.clock import Instant
from fediverse.drafts import Visibility
from fediverse.outbox import activities
from fediverse.outbox.publish import Audience, publish
from fediverse.statuses.lookup import uri_of
from fediverse.tables.actors import actors
from fediverse.tables.statuses import statuses
from fediverse.urls import Urls


def note(tx: Connection, urls: Urls, status: Row[Any], *, author: Row[Any]) -> dict[str, Any]:
    """The Note of a local status."""
    return documents.note_document(urls, status, author, parent_uri=parent_uri(tx, urls, status))


def parent_uri(tx: Connection, urls: Urls, status: Row[Any]) -> str | None:
    """The id of what the status answers, also when it is not known here."""
    if status.in_reply_to_id is None:
        return str(status.in_reply_to_uri) if status.in_reply_to_uri else None
    parent = (statuses.c.id, statuses.c.uri, statuses.c.boost_of_id, actors.c.username)
    row: Any = tx.execute(
        select(*parent).join(actors, actors.c.id == statuses.c.author_id).where(statuses.c.id == status.in_reply_to_id)
    ).first()
    return uri_of(urls, row, row) if row is not None else None


def created(
    tx: Connection,
    urls: Urls,
    status: Row[Any],
    *,
    author: Row[Any],
    parent: Row[Any] | None,
    mentions: Sequence[Row[Any]],
    now: Instant,
) -> None:
    """Followers, those mentioned and the author of the parent get the Create."""
    document = note(tx, urls, status, author=author)
    addressed = [actor.id for actor in mentions if actor.host != ""]
    if parent is not None and Visibility(status.visibility).is_public:
        addressed.append(parent.author_id)
    _send(tx, activities.create(urls, document), document["id"], status, tuple(addressed), now=now)


def edited(
    tx: Connection, urls: Urls, status: Row[Any], *, author: Row[Any], mentions: Sequence[Row[Any]], now: Instant
) -> None:
    """Whoever may have the post gets the Update."""
    document = note(tx, urls, status, author=author)
    activity = activities.update(urls, document, username=author.username, activity_id=ids.new_id(), published=now)
    addressed = tuple(actor.id for actor in mentions if actor.host != "")
    _send(tx, activity, document["id"], status, addressed, now=now, reach=True)


def refreshed(tx: Connection, urls: Urls, status: Row[Any], *, author: Row[Any], now: Instant) -> None:
    """Whoever may have the post gets it as it is now, with new counts or another policy: an Update that is no edit."""
    document = note(tx, urls, status, author=author)
    activity = activities.update(urls, document, username=author.username, activity_id=ids.new_id(), published=now)
    addressed = tuple(entry["id"] for entry in status.mentions if entry["host"])
    _send(tx, activity, document["id"], status, addressed, now=now, reach=True)


def deleted(tx: Connection, urls: Urls, status: Row[Any], *, author: Row[Any], now: Instant) -> None:
    """Whoever may have the post gets the Delete. Called while mentions, likes and boosts still stand."""
    document = note(tx, urls, status, author=author)
    activity = activities.delete(
        urls,
        author.username,
        document["id"],
        activity_id=ids.new_id(),
        to=document["to"],
        cc=document["cc"],
        former_type="Note",
        published=now,
    )
    _send(tx, activity, document["id"], status, (), now=now, reach=True)


def boosted(
    tx: Connection,
    urls: Urls,
    boost: Row[Any],
    *,
    actor: Row[Any],
    status: Row[Any],
    author: Row[Any],
    now: Instant,
) -> None:
    """The booster's followers and the author get the Announce."""
    activity = _announce(urls, boost, actor=actor, status=status, author=author)
    _send(tx, activity, activity["id"], boost, (author.id,), now=now)


def unboosted(
    tx: Connection,
    urls: Urls,
    boost: Row[Any],
    *,
    actor: Row[Any],
    status: Row[Any],
    author: Row[Any],
    now: Instant,
) -> None:
    """Whoever got the Announce gets its Undo."""
    announce = _announce(urls, boost, actor=actor, status=status, author=author)
    undo = activities.undo(urls, announce, username=actor.username, undo_id=ids.new_id(), published=now)
    _send(tx, undo, announce["id"], boost, (author.id,), now=now)


def _announce(urls: Urls, boost: Row[Any], *, actor: Row[Any], status: Row[Any], author: Row[Any]) -> dict[str, Any]:
    return activities.announce(
        urls,
        actor.username,
        boost.id,
        object_uri=uri_of(urls, status, author),
        author_uri=author.uri or urls.actor(author.username),
        visibility=Visibility(boost.visibility),
        published=boost.created_at,
    )


def _send(
    tx: Connection,
    activity: dict[str, Any],
    object_key: str,
    status: Row[Any],
    addressed: tuple[int, ...],
    *,
    now: Instant,
    reach: bool = False,
) -> None:
    visibility = Visibility(status.visibility)
    publish(
        tx,
        actor_id=status.author_id,
        activity=activity,
        object_key=object_key,
        audience=Audience(
            followers=visibility is not Visibility.DIRECT,
            actors=addressed,
            also_status=status.id if reach else 0,
        ),
        now=now,
        private=not visibility.is_public,
    )
