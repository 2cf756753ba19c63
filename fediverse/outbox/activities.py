"""Activities of local actors, as they are sent. Pure: ids and instants are given, nothing is looked up.

What every one of them keeps to, since some server refuses anything else: ``actor`` is a bare string; ``to`` and ``cc``
are arrays, the same as those of an embedded object; Create and Update embed their object in full, Undo the activity
that it undoes with its own id, Accept and Reject the Follow; Announce, Like, Add and Remove name theirs by id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fediverse.clock import Instant, rfc3339
from fediverse.documents.addressing import audience
from fediverse.documents.context import PUBLIC, QUOTE_TERMS, SIMPLE_CONTEXT, Document
from fediverse.drafts import Visibility
from fediverse.urls import Urls

_FOLLOW = ("id", "type", "actor", "object")


def create(urls: Urls, note: Document) -> Document:
    """The Create that publishes ``note``, a document of ``note_document``."""
    return {
        "@context": note["@context"],
        "id": f"{note['id']}/activity",
        "type": "Create",
        "actor": note["attributedTo"],
        "published": note["published"],
        "to": note["to"],
        "cc": note["cc"],
        "object": _embedded(note),
    }


def update(urls: Urls, document: Document, *, username: str, activity_id: int, published: Instant) -> Document:
    """The Update that tells of a changed Note or actor, embedded as it is now.

    A Note's goes to whom the Note is for, an actor's to everybody.
    """
    is_note = "attributedTo" in document
    return {
        "@context": document["@context"],
        "id": urls.transient(username, "updates", activity_id),
        "type": "Update",
        "actor": urls.actor(username),
        "published": rfc3339(published),
        "to": document["to"] if is_note else [PUBLIC],
        "cc": document["cc"] if is_note else [urls.followers(username)],
        "object": _embedded(document),
    }


def delete(
    urls: Urls,
    username: str,
    object_uri: str,
    *,
    activity_id: int,
    to: Sequence[str] = (PUBLIC,),
    cc: Sequence[str] = (),
    former_type: str | None = None,
    published: Instant | None = None,
) -> Document:
    """The Delete of a post, or of the actor itself when ``object_uri`` is the actor's.

    With ``former_type`` the object is a Tombstone of that type: Pixelfed takes the deletion of a post in no other
    form. Without it is the bare id.
    """
    gone: str | Document = object_uri
    if former_type is not None:
        gone = {"id": object_uri, "type": "Tombstone", "formerType": former_type}
    return _activity(
        urls, username, "Delete", urls.transient(username, "deletes", activity_id), gone, to, cc, published=published
    )


def vote(
    urls: Urls, username: str, vote_id: int, *, title: str, question_uri: str, author_uri: str, published: Instant
) -> Document:
    """The Create that votes for the option ``title``: a Note that has a name, but no content."""
    note = {
        "id": urls.transient(username, "votes", vote_id),
        "type": "Note",
        "name": title,
        "attributedTo": urls.actor(username),
        "inReplyTo": question_uri,
        "to": [author_uri],
        "cc": [],
    }
    id_ = f"{note['id']}/activity"
    return _activity(urls, username, "Create", id_, note, [author_uri], published=published)


def announce(
    urls: Urls,
    username: str,
    status_id: int,
    *,
    object_uri: str,
    author_uri: str,
    visibility: Visibility,
    published: Instant,
) -> Document:
    """The Announce that carries somebody's post to the booster's followers; ``status_id`` is the boost's own."""
    to, cc = audience(urls, username, visibility, [author_uri])
    return _activity(
        urls, username, "Announce", urls.activity(username, status_id), object_uri, to, cc, published=published
    )


def undo(urls: Urls, activity: Document, *, username: str, undo_id: int, published: Instant | None = None) -> Document:
    """The Undo of an activity that was sent, which it embeds with the id that it had."""
    return _activity(
        urls,
        username,
        "Undo",
        urls.transient(username, "undos", undo_id),
        _embedded(activity),
        activity["to"],
        activity["cc"],
        published=published,
    )


def like(
    urls: Urls,
    username: str,
    status_id: int,
    *,
    object_uri: str,
    author_uri: str,
    published: Instant | None = None,
) -> Document:
    """The Like of a post. Its id follows from ``status_id``, so that an Undo names the same one."""
    return _activity(
        urls,
        username,
        "Like",
        urls.transient(username, "likes", status_id),
        object_uri,
        [author_uri],
        published=published,
    )


def follow(urls: Urls, username: str, follow_id: int, *, target_uri: str, published: Instant | None = None) -> Document:
    """The Follow of an actor; ``follow_id`` is new at every attempt, since some servers remember refused ones."""
    return _activity(
        urls, username, "Follow", urls.follow(username, follow_id), target_uri, [target_uri], published=published
    )


def received_follow(urls: Urls, username: str, *, uri: str | None, follower_uri: str) -> Document:
    """The Follow that a remote actor sent to a local one, as far as it is kept: for ``accept`` and ``reject``."""
    return {
        **({"id": uri} if uri else {}),
        "type": "Follow",
        "actor": follower_uri,
        "object": urls.actor(username),
    }


def accept(
    urls: Urls, username: str, follow: Mapping[str, Any], *, activity_id: int, published: Instant | None = None
) -> Document:
    """The Accept of ``follow``, the Follow as it was received or as ``received_follow`` gives it."""
    return _answer(urls, username, "Accept", follow, activity_id, published)


def reject(
    urls: Urls, username: str, follow: Mapping[str, Any], *, activity_id: int, published: Instant | None = None
) -> Document:
    """The Reject of ``follow``, as for ``accept``; for a follow that was accepted it removes the follower."""
    return _answer(urls, username, "Reject", follow, activity_id, published)


def block(urls: Urls, username: str, block_id: int, *, target_uri: str, published: Instant | None = None) -> Document:
    """The Block of an actor."""
    return _activity(
        urls,
        username,
        "Block",
        urls.transient(username, "blocks", block_id),
        target_uri,
        [target_uri],
        published=published,
    )


def add(urls: Urls, username: str, object_uri: str, *, activity_id: int, published: Instant | None = None) -> Document:
    """The Add of a post to the actor's featured collection."""
    return _featured(urls, username, "Add", object_uri, activity_id, published)


def remove(
    urls: Urls, username: str, object_uri: str, *, activity_id: int, published: Instant | None = None
) -> Document:
    """The Remove of a post from the actor's featured collection."""
    return _featured(urls, username, "Remove", object_uri, activity_id, published)


def quote_request(
    urls: Urls,
    username: str,
    status_id: int,
    *,
    quoted_uri: str,
    author_uri: str,
    quoting: Document,
    published: Instant,
) -> Document:
    """The QuoteRequest (FEP-044f) that asks the author of a post whether the Note ``quoting`` may quote it."""
    id_ = urls.transient(username, "quote_requests", status_id)
    asked = _activity(urls, username, "QuoteRequest", id_, quoted_uri, [author_uri], published=published)
    return {**asked, "@context": quoting["@context"], "instrument": _embedded(quoting)}


def answer_quote(
    urls: Urls,
    username: str,
    kind: str,
    request: Mapping[str, Any],
    *,
    activity_id: int,
    result: str | None = None,
) -> Document:
    """The Accept of a QuoteRequest, whose ``result`` is the authorization, or its Reject."""
    id_ = urls.transient(username, f"{kind.lower()}s", activity_id)
    sent = _activity(urls, username, kind, id_, dict(request), [_id(request["actor"])], published=None)
    sent["@context"] = [*SIMPLE_CONTEXT, QUOTE_TERMS]
    return sent if result is None else {**sent, "result": result}


def flag(
    urls: Urls, report_id: int, *, target_uri: str, status_uris: Sequence[str], content: str, published: Instant
) -> Document:
    """The Flag that reports an account and some of its posts to its server. The instance actor sends it."""
    return {
        "@context": SIMPLE_CONTEXT,
        "id": f"{urls.instance_actor}#flags/{report_id}",
        "type": "Flag",
        "actor": urls.instance_actor,
        "published": rfc3339(published),
        "to": [target_uri],
        "cc": [],
        "content": content,
        "object": [target_uri, *status_uris],
    }


def _activity(
    urls: Urls,
    username: str,
    kind: str,
    id_: str,
    about: str | Document,
    to: Sequence[str],
    cc: Sequence[str] = (),
    *,
    published: Instant | None,
) -> Document:
    return {
        "@context": SIMPLE_CONTEXT,
        "id": id_,
        "type": kind,
        "actor": urls.actor(username),
        **({"published": rfc3339(published)} if published is not None else {}),
        "to": [*to],
        "cc": [*cc],
        "object": about,
    }


def _answer(
    urls: Urls, username: str, kind: str, follow: Mapping[str, Any], activity_id: int, published: Instant | None
) -> Document:
    embedded = {name: follow[name] for name in _FOLLOW if name in follow}
    id_ = urls.transient(username, f"{kind.lower()}s", activity_id)
    return _activity(urls, username, kind, id_, embedded, [_id(follow["actor"])], published=published)


def _featured(
    urls: Urls, username: str, kind: str, object_uri: str, activity_id: int, published: Instant | None
) -> Document:
    id_ = urls.transient(username, f"{kind.lower()}s", activity_id)
    sent = _activity(urls, username, kind, id_, object_uri, [PUBLIC], [urls.followers(username)], published=published)
    return {**sent, "target": urls.featured(username)}


def _embedded(document: Document) -> Document:
    return {name: value for name, value in document.items() if name != "@context"}


def _id(actor: Any) -> str:
    return str(actor["id"]) if isinstance(actor, Mapping) else str(actor)
