"""The activities that tell other servers of follows and blocks, published in the transaction of the change."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from fediverse import ids
from fediverse.clock import Instant
from fediverse.outbox import activities
from fediverse.outbox.publish import Audience, publish
from fediverse.urls import Urls


def follow(tx: Connection, urls: Urls, actor: Row[Any], target: Row[Any], *, follow_id: int, now: Instant) -> None:
    """The target's server is asked to let the local actor follow."""
    activity = activities.follow(urls, actor.username, follow_id, target_uri=target.uri, published=now)
    _send(tx, activity, actor, target, about="follow", now=now)


def undo_follow(tx: Connection, urls: Urls, actor: Row[Any], target: Row[Any], *, follow_id: int, now: Instant) -> None:
    """The target's server is told that the local actor follows no longer."""
    sent = activities.follow(urls, actor.username, follow_id, target_uri=target.uri)
    activity = activities.undo(urls, sent, username=actor.username, undo_id=ids.new_id(), published=now)
    _send(tx, activity, actor, target, about="follow", now=now)


def accept(
    tx: Connection, urls: Urls, followee: Row[Any], follower: Row[Any], *, follow_uri: str | None, now: Instant
) -> None:
    """The follower's server is told that it was let in; the Follow goes back as it came."""
    received = activities.received_follow(urls, followee.username, uri=follow_uri, follower_uri=follower.uri)
    activity = activities.accept(urls, followee.username, received, activity_id=ids.new_id(), published=now)
    _send(tx, activity, followee, follower, about="followed", now=now)


def reject(
    tx: Connection, urls: Urls, followee: Row[Any], follower: Row[Any], *, follow_uri: str | None, now: Instant
) -> None:
    """The follower's server is told that it was refused, or removed."""
    received = activities.received_follow(urls, followee.username, uri=follow_uri, follower_uri=follower.uri)
    activity = activities.reject(urls, followee.username, received, activity_id=ids.new_id(), published=now)
    _send(tx, activity, followee, follower, about="followed", now=now)


def block(tx: Connection, urls: Urls, actor: Row[Any], target: Row[Any], *, block_id: int, now: Instant) -> None:
    """The target's server is told of the block, so that it hides what it holds of the local actor."""
    activity = activities.block(urls, actor.username, block_id, target_uri=target.uri, published=now)
    _send(tx, activity, actor, target, about="block", now=now)


def undo_block(tx: Connection, urls: Urls, actor: Row[Any], target: Row[Any], *, block_id: int, now: Instant) -> None:
    """The target's server is told that the block is lifted."""
    sent = activities.block(urls, actor.username, block_id, target_uri=target.uri)
    activity = activities.undo(urls, sent, username=actor.username, undo_id=ids.new_id(), published=now)
    _send(tx, activity, actor, target, about="block", now=now)


def _send(
    tx: Connection, activity: dict[str, Any], actor: Row[Any], target: Row[Any], *, about: str, now: Instant
) -> None:
    """What is about the same two actors arrives in order: a Follow never overtakes the Undo before it."""
    publish(
        tx,
        actor_id=actor.id,
        activity=activity,
        object_key=f"{about}:{actor.id}:{target.id}",
        audience=Audience(actors=(target.id,)),
        now=now,
        private=True,
    )
