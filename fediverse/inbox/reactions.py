"""Likes that others give and take back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from fediverse import reactions, statuses
from fediverse.actors import directory
from fediverse.documents import id_of, same_origin
from fediverse.inbox import threads
from fediverse.inbox.activity import Activity, Outcome
from fediverse.inbox.registry import handles


@handles("Like")
@handles("EmojiReact")
def like(tx: Connection, activity: Activity) -> Outcome:
    """The sender likes a post that is known here and that it may see; a reaction with an emoji counts as a like."""
    found = _post(tx, activity, activity.draft.object_uri)
    if found is None:
        return "ignored"
    status, author = found
    uri = activity.draft.id if same_origin(activity.draft.id, activity.signer_uri) else None
    reactions.favourite(
        tx,
        activity.urls,
        activity.signer,
        status,
        author=author,
        now=activity.now,
        uri=uri or f"{activity.signer_uri}#likes/{status.id}",
    )
    return "applied"


@handles("Undo", "Like", "EmojiReact")
def undo_like(tx: Connection, activity: Activity) -> Outcome:
    """The sender likes the post no longer."""
    document = activity.draft.object or {}
    if id_of(document.get("actor")) not in {None, activity.signer_uri}:
        return "refused"
    found = _post(tx, activity, id_of(document.get("object")))
    return _unlike(tx, activity, *found) if found is not None else "ignored"


def take_back_by_id(tx: Connection, activity: Activity, status_id: int) -> Outcome:
    """The sender does not like the post with this id here."""
    status = statuses.by_id(tx, status_id)
    author = directory.by_id(tx, status.author_id) if status is not None else None
    if status is None or author is None:
        return "ignored"
    return _unlike(tx, activity, status, author)


def _unlike(tx: Connection, activity: Activity, status: Row[Any], author: Row[Any]) -> Outcome:
    gone = reactions.unfavourite(tx, activity.urls, activity.signer, status, author=author, now=activity.now)
    return "applied" if gone else "ignored"


def _post(tx: Connection, activity: Activity, uri: str | None) -> tuple[Row[Any], Row[Any]] | None:
    """A known post and its author; boosts are not liked, what they carry is."""
    status = threads.find(tx, activity.urls, uri) if uri is not None else None
    if status is None or status.boost_of_id is not None:
        return None
    author = directory.by_id(tx, status.author_id)
    return (status, author) if author is not None else None
