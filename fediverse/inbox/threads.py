"""Posts that are fetched on purpose: a boosted one, a parent, one that somebody searched for; with what they answer.

Read upwards, never downwards, at most twenty posts, none twice, within half a minute. What is stored this way is news
to nobody: it shows in conversations, not in timelines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection, Row, bindparam, select

from fediverse import clock, moderation, statuses
from fediverse.actors import directory
from fediverse.actors.directory import canonical
from fediverse.clock import Instant
from fediverse.db import Database
from fediverse.documents import read_note, same_origin
from fediverse.drafts import NoteDraft
from fediverse.errors import FediverseError, Gone
from fediverse.remote import Mismatch, Remote, RemoteError, Signer, target
from fediverse.tables.statuses import statuses as table
from fediverse.urls import Urls

log = structlog.get_logger(__name__)

_BY_URIS = select(table).where(table.c.uri.in_(bindparam("uris", expanding=True)), table.c.deleted_at.is_(None))

MAX_ANCESTORS = 20
SECONDS = 30.0


class Finder(Protocol):
    """What finds actors elsewhere: ``actors.discovery.Discovery``."""

    remote: Remote

    async def find_uri(self, uri: str, *, pins: bool = True) -> Row[Any] | None:
        """The actor with this id."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A post that its own server handed out, and the id of its author's row."""

    draft: NoteDraft
    author_id: int


async def fetch_note(remote: Remote, uri: str, *, sign: Signer) -> NoteDraft:
    """The post at ``uri`` as its own server tells it.

    Raises RemoteError, Mismatch among them where the document speaks for another address or for an author of another
    server; Invalid where it is no post.
    """
    document = await remote.get_document(uri, sign=sign)
    draft = read_note(document.body, received_at=clock.now())
    if draft.uri is None or target(draft.uri).url != document.url_final:
        raise Mismatch("This document speaks for another address than its own.")
    if not same_origin(draft.uri, draft.author_uri):
        raise Mismatch("This post names an author of another server.")
    return draft


async def fetch(finder: Finder, database: Database, urls: Urls, uri: str, *, sign: Signer) -> list[Fetched]:
    """The post at ``uri`` and those that it answers, as far as they are not known here; the topmost first.

    The first one must be had: what goes wrong with it is raised. Ancestors are had as far as possible.
    """
    thread: list[Fetched] = []
    seen: set[str] = set()
    next_uri: str | None = uri
    try:
        async with asyncio.timeout(SECONDS):
            while next_uri is not None and len(thread) <= MAX_ANCESTORS and canonical(next_uri) not in seen:
                seen.add(canonical(next_uri))
                found = await _fetch_one(finder, next_uri, sign=sign)
                seen.add(canonical(found.draft.uri or ""))
                thread.insert(0, found)
                next_uri = await database.read(_unknown_parent, urls, found.draft)
    except (FediverseError, TimeoutError) as error:
        if not thread:
            raise (
                error if isinstance(error, FediverseError) else RemoteError("The other server is too slow.")
            ) from error
        log.info("threads.ancestor_failed", uri=next_uri, error=str(error))
    return thread


async def _fetch_one(finder: Finder, uri: str, *, sign: Signer) -> Fetched:
    draft = await fetch_note(finder.remote, uri, sign=sign)
    author = await finder.find_uri(draft.author_uri, pins=False)
    if author is None or author.suspended_at is not None:
        raise Mismatch("The author of this post cannot be found, or is suspended here.")
    return Fetched(draft, author.id)


def _unknown_parent(tx: Connection, urls: Urls, draft: NoteDraft) -> str | None:
    uri = draft.in_reply_to_uri
    if uri is None or not is_fetchable(tx, urls, uri) or known(tx, urls, [uri]):
        return None
    return uri


def is_fetchable(tx: Connection, urls: Urls, uri: str) -> bool:
    """Whether ``uri`` is an address of another server that is not blocked."""
    try:
        authority = target(uri).yarl.authority
    except RemoteError:
        return False
    return not urls.is_local(canonical(uri)) and moderation.host_severity(tx, authority) != "block"


def find(tx: Connection, urls: Urls, uri: str) -> Row[Any] | None:
    """The post with this id that is stored here and not deleted."""
    row = statuses.by_uri(tx, urls, canonical(uri))
    return row if row is not None and row.deleted_at is None else None


def known(tx: Connection, urls: Urls, uris: Iterable[str]) -> dict[str, Row[Any]]:
    """The posts of these ids that are stored here and not deleted, by the id as it was asked for."""
    asked = {uri: canonical(uri) for uri in uris}
    local_ids = {
        parsed.id: parsed.username
        for folded in asked.values()
        if (parsed := urls.parse(folded)) and parsed.kind in {"status", "activity"}
    }
    found: dict[str, Row[Any]] = {}
    elsewhere = [folded for folded in asked.values() if not urls.is_local(folded)]
    if elsewhere:
        rows = tx.execute(_BY_URIS, {"uris": elsewhere})
        found = {row.uri: row for row in rows}
    if local_ids:
        here = {row.id: row for row in statuses.by_ids(tx, local_ids).values() if row.local}
        authors = directory.by_ids(tx, [row.author_id for row in here.values()])
        for folded in asked.values():
            parsed = urls.parse(folded)
            row = here.get(parsed.id) if parsed and parsed.kind in {"status", "activity"} else None
            if row is not None and parsed is not None and authors[row.author_id].username == parsed.username:
                found[folded] = row
    return {uri: found[folded] for uri, folded in asked.items() if folded in found}


def store(tx: Connection, urls: Urls, thread: Sequence[Fetched], *, now: Instant) -> Row[Any] | None:
    """The posts are stored, parents before what answers them; the last one's row, None when it was deleted here."""
    authors = directory.by_ids(tx, [fetched.author_id for fetched in thread])
    uris = [mention.uri for fetched in thread for mention in fetched.draft.mentions if mention.uri]
    known_actors = directory.by_uris(tx, urls, uris)
    row: Row[Any] | None = None
    for fetched in thread:
        draft = fetched.draft
        named = _named(draft, known_actors)
        try:
            row = statuses.create(tx, urls, authors[fetched.author_id], draft, mentions=named, now=now, surface=False)
        except Gone:
            row = None
        # A post that its server hands out under a known id, but as somebody else's, is not that post.
        if row is not None and row.author_id != fetched.author_id:
            row = None
    return row


def mentioned(tx: Connection, urls: Urls, draft: NoteDraft) -> list[Row[Any]]:
    """Those of the post's mentions that are known here."""
    return _named(draft, directory.by_uris(tx, urls, [mention.uri for mention in draft.mentions if mention.uri]))


def _named(draft: NoteDraft, known_actors: Mapping[str, Row[Any]]) -> list[Row[Any]]:
    rows = (known_actors.get(mention.uri) for mention in draft.mentions if mention.uri)
    return list({row.id: row for row in rows if row is not None and row.deleted_at is None}.values())
