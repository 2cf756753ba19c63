"""A local account closes for good: it is wiped here, and every server that knows it is told."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from fediverse import filters, hashtags, ids, media
from fediverse.actors import directory
from fediverse.clock import Instant
from fediverse.outbox import activities
from fediverse.outbox.publish import Audience, publish
from fediverse.urls import Urls


def close(tx: Connection, urls: Urls, actor: Row[Any], *, now: Instant) -> None:
    """The local actor is gone; its id answers 410, its name is never given again, its Delete is on its way."""
    uri = directory.uri_of(urls, actor)
    activity = activities.delete(urls, actor.username, uri, activity_id=ids.new_id(), published=now)
    publish(
        tx,
        actor_id=actor.id,
        activity=activity,
        object_key=uri,
        audience=Audience(followers=True, everyone_known=True),
        now=now,
        private=True,
    )
    for key in (actor.avatar, actor.header):
        media.forget(tx, key)
    filters.end_all(tx, actor.id)
    media.attachments.close(tx, actor.id)
    hashtags.end_all(tx, actor.id)
    directory.mark_gone(tx, actor.id, now)
