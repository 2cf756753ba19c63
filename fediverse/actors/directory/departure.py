"""An account that is gone for good: what it wrote and did is wiped, its id and name are kept as markers.

Everything goes by a fixed number of statements, whatever the account's size. This is the one place outside of their
owners where rows of statuses and timelines are wiped: an actor's end touches all of them at once.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, delete, func, select, update

from fediverse import conversations, events, notifications, search
from fediverse.actors import relations
from fediverse.clock import Instant
from fediverse.drafts import Visibility
from fediverse.tables.actors import actor_keys, actors
from fediverse.tables.scheduled import scheduled_statuses
from fediverse.tables.statuses import (
    bookmarks,
    favourites,
    mentions,
    pins,
    poll_votes,
    status_edits,
    status_tags,
    statuses,
)
from fediverse.tables.timelines import home_entries

_WIPED_PROFILE: dict[str, Any] = {
    "name": "",
    "summary": "",
    "summary_source": "",
    "avatar": None,
    "header": None,
    "avatar_description": "",
    "header_description": "",
    "attribution_domains": [],
    "emojis": [],
    "fields": [],
    "fields_source": [],
    "also_known_as": [],
    "discoverable": False,
    "indexable": False,
    "followers_count": 0,
    "following_count": 0,
    "statuses_count": 0,
}
_WIPED_STATUS: dict[str, Any] = {
    "content": "",
    "text": "",
    "title": "",
    "spoiler_text": "",
    "mentions": [],
    "tags": [],
    "emojis": [],
    "attachments": [],
    "poll": None,
    "card_id": None,
    "listed": False,
    "favourites_count": 0,
    "boosts_count": 0,
}


def mark_gone(tx: Connection, actor_id: int, now: Instant) -> None:
    """The actor is deleted: relations, posts, reactions and timeline entries are wiped, counters follow.

    Of its posts tombstones stay, so that nothing of it comes back. A local actor's keys stay too, since its Delete is
    still to be signed; a remote actor's go.
    """
    relations.end_all(tx, actor_id)
    _take_back_reactions(tx, actor_id)
    _wipe_statuses(tx, actor_id, now=now)
    tx.execute(delete(scheduled_statuses).where(scheduled_statuses.c.author_id == actor_id))
    tx.execute(delete(home_entries).where(home_entries.c.actor_id == actor_id))
    notifications.forget_actor(tx, actor_id)
    conversations.forget_actor(tx, actor_id)
    tx.execute(delete(actor_keys).where(actor_keys.c.actor_id == actor_id, actor_keys.c.key_uri.is_not(None)))
    tx.execute(
        update(actors)
        .where(actors.c.id == actor_id)
        .values(**_WIPED_PROFILE, deleted_at=now, version=actors.c.version + 1)
    )
    events.after_commit(tx, events.AccessChanged(actor_id=actor_id))


def _take_back_reactions(tx: Connection, actor_id: int) -> None:
    liked = select(favourites.c.status_id).where(favourites.c.actor_id == actor_id)
    tx.execute(
        update(statuses)
        .where(statuses.c.id.in_(liked))
        .values(favourites_count=statuses.c.favourites_count - 1, version=statuses.c.version + 1)
    )
    mine = statuses.alias("mine")  # a name of its own, else the subquery would be correlated with the update
    boosted = select(mine.c.boost_of_id).where(
        mine.c.author_id == actor_id, mine.c.boost_of_id.is_not(None), mine.c.deleted_at.is_(None)
    )
    tx.execute(
        update(statuses)
        .where(statuses.c.id.in_(boosted))
        .values(boosts_count=statuses.c.boosts_count - 1, version=statuses.c.version + 1)
    )
    for table in (favourites, bookmarks, pins, poll_votes):  # votes stay counted
        tx.execute(delete(table).where(table.c.actor_id == actor_id))


def _wipe_statuses(tx: Connection, actor_id: int, *, now: Instant) -> None:
    own = select(statuses.c.id).where(statuses.c.author_id == actor_id)
    mine = statuses.alias("mine")  # a name of its own, else the subquery would be correlated with the update
    # As they were counted: each reply that anybody may see.
    counted = (mine.c.author_id == actor_id, mine.c.visibility <= Visibility.UNLISTED, mine.c.deleted_at.is_(None))
    parents = select(mine.c.in_reply_to_id).where(*counted, mine.c.in_reply_to_id.is_not(None))
    replies = select(func.count()).select_from(mine).where(*counted, mine.c.in_reply_to_id == statuses.c.id)
    tx.execute(
        update(statuses)
        .where(statuses.c.id.in_(parents))
        .values(
            replies_count=statuses.c.replies_count - replies.correlate(statuses).scalar_subquery(),
            version=statuses.c.version + 1,
        )
    )
    dependents: tuple[Table, ...] = (mentions, status_tags, status_edits, poll_votes, favourites, bookmarks, pins)
    for table in dependents:
        tx.execute(delete(table).where(table.c.status_id.in_(own)))
    notifications.forget_statuses(tx, own)
    conversations.forget_statuses(tx, own)
    search.forget_author(tx, actor_id)
    # Boosts of its posts, and its own boosts of others.
    theirs = select(mine.c.id).where(mine.c.author_id == actor_id)
    boost = statuses.alias("boost")
    boosts = select(func.count()).select_from(boost).where(boost.c.boost_of_id.in_(theirs))
    boosters = select(boost.c.author_id).where(boost.c.boost_of_id.in_(theirs))
    tx.execute(
        update(actors)
        .where(actors.c.id.in_(boosters))
        .values(
            statuses_count=actors.c.statuses_count
            - boosts.where(boost.c.author_id == actors.c.id).correlate(actors).scalar_subquery(),
            version=actors.c.version + 1,
        )
    )
    tx.execute(delete(statuses).where(statuses.c.boost_of_id.in_(theirs)))
    tx.execute(delete(statuses).where(statuses.c.author_id == actor_id, statuses.c.boost_of_id.is_not(None)))
    tx.execute(
        update(statuses)
        .where(statuses.c.author_id == actor_id, statuses.c.deleted_at.is_(None))
        .values(**_WIPED_STATUS, deleted_at=now, version=statuses.c.version + 1)
    )
