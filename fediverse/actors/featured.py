"""The posts that a remote actor has pinned to its profile: its featured collection, read within limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from fediverse import clock, reactions
from fediverse.actors.directory import canonical
from fediverse.clock import Instant
from fediverse.db import Database
from fediverse.documents import read_collection, same_origin
from fediverse.errors import FediverseError
from fediverse.inbox import threads
from fediverse.remote import Remote, Signer
from fediverse.urls import Urls

MAX_PINS = 20


async def read(finder: threads.Finder, database: Database, urls: Urls, actor: Row[Any], *, sign: Signer) -> None:
    """The actor's pins here are those of its featured collection, at most 20, as far as they can be had."""
    uris = await item_uris(finder.remote, actor.featured_uri, sign=sign)
    own = [uri for uri in uris if same_origin(uri, actor.uri)][:MAX_PINS]
    known = await database.read(_known, urls, own)
    fetched = []
    for uri in own:
        if uri in known:
            continue
        try:
            note = await threads.fetch_note(finder.remote, uri, sign=sign)
        except FediverseError:
            continue  # one post that is gone does not hide the others
        if canonical(note.author_uri) == actor.uri:
            fetched.append(threads.Fetched(note, actor.id))
    await database.write(_store, urls, actor, own, fetched, now=clock.now())


async def item_uris(remote: Remote, uri: str, *, sign: Signer) -> tuple[str, ...]:
    """The ids in a collection: of its own items, else of its first page; no further page is visited."""
    found = read_collection((await remote.get_document(uri, sign=sign)).body)
    if not found.items and found.first is not None and found.first != found.id:
        found = read_collection((await remote.get_document(found.first, sign=sign)).body)
    return found.item_ids[: 2 * MAX_PINS]


def _known(tx: Connection, urls: Urls, uris: Sequence[str]) -> frozenset[str]:
    return frozenset(threads.known(tx, urls, uris))


def _store(
    tx: Connection,
    urls: Urls,
    actor: Row[Any],
    uris: Sequence[str],
    fetched: Sequence[threads.Fetched],
    *,
    now: Instant,
) -> None:
    for note in fetched:
        threads.store(tx, urls, [note], now=now)
    found = threads.known(tx, urls, uris)
    reactions.set_remote_pins(tx, actor, [found[uri].id for uri in uris if uri in found], now=now)
