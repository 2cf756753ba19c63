"""Who follows and blocks whom, as far as one of the two is elsewhere."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from fediverse import statuses
from fediverse.actors import directory, relations
from fediverse.documents import id_of
from fediverse.inbox import posts, quotes, reactions
from fediverse.inbox.activity import Activity, Outcome
from fediverse.inbox.registry import BARE, handles
from fediverse.tables.actors import INSTANCE_ACTOR_ID, blocks, follows
from fediverse.tables.statuses import favourites


@handles("Follow")
def follow(tx: Connection, activity: Activity) -> Outcome:
    """The sender follows somebody here, or asks to; it is told which."""
    followee = activity.local(activity.draft.object_uri)
    if followee is None or followee.id == INSTANCE_ACTOR_ID:
        return "ignored"
    uri = activity.draft.id or f"{activity.signer_uri}#follows/{followee.id}"
    relations.receive_follow(tx, activity.urls, activity.signer, followee, uri=uri, now=activity.now)
    return "applied"


@handles("Accept", BARE, "Follow")
def accept(tx: Connection, activity: Activity) -> Outcome:
    """The follower here, who asked the sender, is let in. Nobody else's answer counts."""
    follower = _asker(tx, activity)
    if follower is None:
        return quotes.answered(tx, activity, quotes.requested(tx, activity), agreed=True)
    return "applied" if relations.receive_accept(tx, activity.signer, follower) else "ignored"


@handles("Reject", BARE, "Follow")
def reject(tx: Connection, activity: Activity) -> Outcome:
    """The follower here follows the sender no longer, nor asks to."""
    follower = _asker(tx, activity)
    if follower is None:
        return quotes.answered(tx, activity, quotes.requested(tx, activity), agreed=False)
    return "applied" if relations.receive_reject(tx, activity.signer, follower) else "ignored"


def _asker(tx: Connection, activity: Activity) -> Row[Any] | None:
    """The local actor whose Follow of the sender is answered.

    It is told by the Follow's actor and object: some servers put another id on it. By the id alone where only that
    was sent.
    """
    draft = activity.draft
    if draft.object is not None and draft.object.get("actor"):
        if id_of(draft.object.get("object")) not in {None, activity.signer_uri}:
            return None
        return activity.local(id_of(draft.object.get("actor")))
    named = activity.urls.parse(draft.object_uri) if draft.object_uri is not None else None
    if named is None or named.kind != "follow":
        return None
    follower = directory.local(tx, named.username)
    if follower is None or follower.username != named.username:
        return None
    row = relations.follow_by_id(tx, follower.id, named.id)
    return follower if row is not None and row.followee_id == activity.signer.id else None


@handles("Block")
def block(tx: Connection, activity: Activity) -> Outcome:
    """The sender blocks somebody here: neither follows the other."""
    target = activity.local(activity.draft.object_uri)
    if target is None or target.id == INSTANCE_ACTOR_ID:
        return "ignored"
    relations.receive_block(tx, activity.signer, target, uri=activity.draft.id, now=activity.now)
    return "applied"


@handles("Undo", "Follow", "Block")
def undo(tx: Connection, activity: Activity) -> Outcome:
    """The sender follows, or blocks, the one here no longer."""
    document = activity.draft.object or {}
    if id_of(document.get("actor")) not in {None, activity.signer_uri}:
        return "refused"
    target = activity.local(id_of(document.get("object")))
    if target is None:
        return "ignored"
    if activity.draft.object_type == "Follow":
        gone = relations.receive_undo_follow(tx, activity.signer, target)
    else:
        gone = relations.receive_undo_block(tx, activity.signer, target)
    return "applied" if gone else "ignored"


@handles("Undo", BARE)
def undo_by_id(tx: Connection, activity: Activity) -> Outcome:
    """Whatever the sender once did under this id is undone."""
    uri, signer = activity.draft.object_uri, activity.signer
    if uri is None:
        return "ignored"
    followee = tx.scalar(select(follows.c.followee_id).where(follows.c.uri == uri, follows.c.follower_id == signer.id))
    if followee is not None:
        target = directory.by_id(tx, followee)
        return "applied" if target and relations.receive_undo_follow(tx, signer, target) else "ignored"
    liked = tx.scalar(select(favourites.c.status_id).where(favourites.c.uri == uri, favourites.c.actor_id == signer.id))
    if liked is not None:
        return reactions.take_back_by_id(tx, activity, liked)
    boost = statuses.by_uri(tx, activity.urls, uri)
    if boost is not None and boost.boost_of_id is not None:
        return posts.undo_boost(tx, activity, boost)
    blocked = tx.scalar(select(blocks.c.target_id).where(blocks.c.uri == uri, blocks.c.actor_id == signer.id))
    target = directory.by_id(tx, blocked) if blocked is not None else None
    return "applied" if target and relations.receive_undo_block(tx, signer, target) else "ignored"
