"""Profiles of others: changed, and what is pinned to them. A Move is recorded, and nothing follows from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, select

from fediverse import jobs, reactions
from fediverse.actors import directory
from fediverse.documents import read_actor
from fediverse.inbox import threads
from fediverse.inbox.activity import Activity, Outcome
from fediverse.inbox.registry import ACTORS, ANY, BARE, Need, handles
from fediverse.tables.statuses import pins

MAX_PINS = 20


@handles("Update", BARE, *ACTORS, needs=(Need.SIGNER,))
def update(tx: Connection, activity: Activity) -> Outcome:
    """The sender is as its document says now: the one it sent in full, else the one that its server hands out.

    A new user name is not believed here: it shows once WebFinger has confirmed it.
    """
    signer = activity.signer
    if activity.draft.object_uri != signer.uri:
        return "refused"
    draft = activity.supplies.signer or read_actor(activity.draft.object)
    if draft.uri != signer.uri:
        return "refused"
    if draft.username.lower() != signer.username_folded:
        jobs.enqueue(tx, "actors.refresh", {"actor_id": signer.id, "now": True}, unique_key=f"{signer.id}:renamed")
        draft = replace(draft, username=signer.username)
    directory.upsert_remote(tx, draft, host=signer.host, now=activity.now)
    return "applied"


@handles("Add", ANY, needs=(Need.OBJECT,))
def add(tx: Connection, activity: Activity) -> Outcome:
    """The sender's post is pinned to its profile."""
    status = _own_featured(tx, activity)
    if status is None:
        return "ignored"
    pinned = _pinned(tx, activity.signer)
    if status.id not in pinned:
        reactions.set_remote_pins(tx, activity.signer, [status.id, *pinned][:MAX_PINS], now=activity.now)
    return "applied"


@handles("Remove", ANY)
def remove(tx: Connection, activity: Activity) -> Outcome:
    """The sender's post is not pinned to its profile."""
    status = _own_featured(tx, activity)
    if status is None:
        return "ignored"
    kept = [pinned for pinned in _pinned(tx, activity.signer) if pinned != status.id]
    reactions.set_remote_pins(tx, activity.signer, kept, now=activity.now)
    return "applied"


def _own_featured(tx: Connection, activity: Activity) -> Row[Any] | None:
    """The sender's own post that the activity is about, if the sender's featured collection is its target."""
    uri, signer = activity.draft.object_uri, activity.signer
    if uri is None or signer.featured_uri is None or activity.draft.target_uri != signer.featured_uri:
        return None
    status = threads.find(tx, activity.urls, uri)
    if status is None and activity.supplies.thread:
        status = threads.store(tx, activity.urls, activity.supplies.thread, now=activity.now)
    return status if status is not None and status.author_id == signer.id else None


def _pinned(tx: Connection, actor: Row[Any]) -> list[int]:
    """The ids of the posts that the actor has pinned, the latest first."""
    return list(tx.scalars(select(pins.c.status_id).where(pins.c.actor_id == actor.id).order_by(pins.c.id.desc())))
