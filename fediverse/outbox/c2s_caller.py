"""Whose client posts to an outbox, and what its wishes are about: posts and accounts, found here or fetched."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row

from fediverse import documents, statuses
from fediverse.actors import directory
from fediverse.actors.discovery import Discovery
from fediverse.clock import Instant
from fediverse.db import Database
from fediverse.errors import BadRequest, Gone, NotFound
from fediverse.urls import Urls

LOOKUP_SECONDS: Final = 5.0
NO_POST: Final = "This post could not be found, or you may not see it."
NO_ACCOUNT: Final = "This account could not be found."


@dataclass(frozen=True, slots=True)
class Caller:
    """The local actor whose client posts, and the means to do what it wants."""

    database: Database
    discovery: Discovery
    urls: Urls
    actor_id: int
    username: str
    language: str | None
    idempotency_key: str | None
    now: Instant

    @property
    def uri(self) -> str:
        """The actor's id."""
        return self.urls.actor(self.username)

    @property
    def followers(self) -> str:
        """The id of the actor's followers collection."""
        return self.urls.followers(self.username)

    def actor(self, tx: Connection) -> Row[Any]:
        """The actor's row. Raises Gone when it was deleted meanwhile."""
        row = directory.by_id(tx, self.actor_id)
        if row is None or row.deleted_at is not None:
            raise Gone("This account was deleted.")
        return row


def object_id(activity: Mapping[str, Any]) -> str:
    """The id of the activity's object. Raises BadRequest when it has none."""
    uri = documents.id_of(activity.get("object"))
    if uri is None:
        raise BadRequest("The activity needs an object, as an id or with one.")
    return uri


async def find_status(caller: Caller, uri: str) -> int:
    """The id here of the post at ``uri`` (of what it boosts, for a boost), fetched if need be. Raises NotFound."""

    def known(tx: Connection) -> int | None:
        row = statuses.by_uri(tx, caller.urls, uri)
        if row is None:
            return None
        row = statuses.get_visible(tx, row.id, caller.actor_id)
        return int(row.boost_of_id or row.id)

    found = await caller.database.read(known)
    if found is not None:
        return found
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            row = await caller.discovery.find_object(uri)
    except TimeoutError:
        row = None
    if row is None:
        raise NotFound(NO_POST)
    return int(row.id)


async def find_account(caller: Caller, uri: str) -> Row[Any]:
    """The account with this id, fetched if need be. Raises NotFound."""
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            row = await caller.discovery.find_uri(uri)
    except TimeoutError:
        row = None
    if row is None:
        raise NotFound(NO_ACCOUNT)
    return row


def with_author(tx: Connection, status_id: int, viewer_id: int | None) -> tuple[Row[Any], Row[Any]]:
    """A post that the viewer may see (None: whoever may), and its author. Raises NotFound."""
    row = statuses.by_id(tx, status_id) if viewer_id is None else statuses.get_visible(tx, status_id, viewer_id)
    author = directory.by_id(tx, row.author_id) if row is not None else None
    if row is None or author is None:
        raise NotFound(NO_POST)
    return row, author
