"""Actors of other servers, as their documents describe them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, select, update

from fediverse import ids, moderation, search
from fediverse.actors.directory.keys import replace_remote
from fediverse.actors.directory.lookup import canonical
from fediverse.clock import Instant
from fediverse.db import Prepared
from fediverse.drafts import ActorDraft
from fediverse.tables.actors import actors
from fediverse.text import fold_host

# Every actor that turns up for the first time is stored by it.
_ADD = Prepared(lambda insert: insert(actors).on_conflict_do_nothing(index_elements=["uri"]).returning(*actors.c))


def upsert_remote(
    tx: Connection, draft: ActorDraft, *, host: str, username: str | None = None, now: Instant
) -> Row[Any]:
    """The remote actor as its document describes it, under the handle that was confirmed for it.

    ``host`` and, where it differs from the document's, ``username`` come from WebFinger. Keys that the document no
    longer lists are gone. The version grows when something that shows has changed. An actor that was deleted here
    is there again: only a document that its own server serves leads to this function.
    """
    host = fold_host(host)
    if (draft.avatar or draft.header) and moderation.rejects_media(tx, host):
        draft = replace(draft, avatar=None, header=None)
    values = _columns(draft, host=host, username=username or draft.username)
    uri = canonical(draft.uri)
    new = {
        "id": ids.new_id(),
        "uri": uri,
        "fields_source": [],
        "version": 1,
        "created_at": draft.published_at if draft.published_at and draft.published_at < now else now,
        "fetched_at": now,
        **moderation.standing_of(tx, host, now=now),
        **values,
    }
    row = tx.execute(_ADD(tx), new).one_or_none()
    if row is not None:
        search.put_actors(tx, [row], known=False)
    else:
        known = tx.execute(select(actors).where(actors.c.uri == uri).with_for_update()).one()
        changed = known.deleted_at is not None or any(getattr(known, name) != value for name, value in values.items())
        row = tx.execute(
            update(actors)
            .where(actors.c.uri == uri)
            .values(**values, deleted_at=None, fetched_at=now, version=actors.c.version + (1 if changed else 0))
            .returning(*actors.c)
        ).one()
        if changed:
            search.put_actors(tx, [row])
        if known.indexable != row.indexable:
            search.reindex(tx, author_id=row.id)
    replace_remote(tx, row.id, draft.keys, now=now)
    return row


def _columns(draft: ActorDraft, *, host: str, username: str) -> dict[str, Any]:
    return {
        "username": username,
        "username_folded": username.lower(),
        "host": host,
        "kind": draft.kind,
        "name": draft.name,
        "summary": draft.summary,
        "url": draft.url,
        "inbox": draft.inbox,
        "shared_inbox": draft.shared_inbox,
        "outbox": draft.outbox,
        "followers_uri": draft.followers_uri,
        "following_uri": draft.following_uri,
        "featured_uri": draft.featured_uri,
        "avatar": draft.avatar,
        "header": draft.header,
        "avatar_description": draft.avatar_description,
        "header_description": draft.header_description,
        "attribution_domains": list(draft.attribution_domains),
        "emojis": list(draft.emojis),
        "fields": [{"name": field["name"], "value": field["value"], "verified_at": None} for field in draft.fields],
        "also_known_as": list(draft.also_known_as),
        "locked": draft.locked,
        "discoverable": draft.discoverable,
        "indexable": draft.indexable,
    }
