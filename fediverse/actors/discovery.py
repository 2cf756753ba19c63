"""Actors and posts of other servers: found, fetched, confirmed, stored, kept fresh.

All of it happens outside of transactions. What was fetched counts only under the id that it was fetched from; a
handle only if its own domain confirms it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from sqlalchemy import Connection, Row

from fediverse import clock, jobs, moderation, statuses
from fediverse.actors import directory, featured, relations
from fediverse.actors.signing import Keyring
from fediverse.clock import DAY, Instant
from fediverse.db import Database
from fediverse.documents import read_actor
from fediverse.drafts import ActorDraft
from fediverse.errors import FediverseError
from fediverse.inbox import threads
from fediverse.limited import Expiring, SingleFlight
from fediverse.remote import Answered, Mismatch, Remote, RemoteError, Signer, target
from fediverse.text import fold_host
from fediverse.urls import Urls

log = structlog.get_logger(__name__)

STALE: Instant = DAY
FAILURE_SECONDS = 300.0
"""How long an id that could not be had is not asked for again."""
FEATURED_SECONDS = 30.0


class Discovery:
    """Finds what is elsewhere. One per process."""

    def __init__(self, database: Database, remote: Remote, urls: Urls, keyring: Keyring) -> None:
        self._database = database
        self.remote = remote
        self._urls = urls
        self._keyring = keyring
        self._flights: SingleFlight[str, Row[Any]] = SingleFlight()
        self._failures: Expiring[str, bool] = Expiring(4096, FAILURE_SECONDS)

    async def signer(self) -> Signer:
        """What signs fetches: the instance actor."""
        return await self._keyring.signer()

    async def signer_for(self, actor_id: int) -> Signer:
        """What signs a fetch that only a local recipient may make."""
        return await self._keyring.signer(actor_id)

    async def find_handle(self, username: str, host: str) -> Row[Any] | None:
        """The actor called ``username@host``; None when there is none, or its server cannot be asked."""
        if not host or fold_host(host) in {fold_host(self._urls.domain), fold_host(self._urls.host)}:
            found = await self._database.read(directory.local, username)
            return _living(found)
        host = fold_host(host)
        known, is_blocked = await self._database.read(_known_handle, username, host)
        if is_blocked or (known is not None and not _is_stale(known)):
            return _living(known)
        asked = f"{username}@{host}".lower()
        if self._failures.get(asked):
            return _living(known)
        try:
            resolved = await self.remote.resolve_handle(username, host)
            if self._urls.is_local(directory.canonical(resolved.actor_uri)):
                return None  # another server gives a handle of its own to somebody here
            return await self.fetch_actor(resolved.actor_uri, pins=True)
        except FediverseError as error:
            self._failures.put(asked, True)
            log.info("discovery.handle_failed", handle=asked, error=str(error))
            return _living(known)

    async def find_uri(self, uri: str, *, pins: bool = True) -> Row[Any] | None:
        """The actor with this id (or page address here), None if not to be had; fetched when unknown or a day old.

        ``pins`` says whether its featured posts are read soon, too.
        """
        known, is_blocked = await self._database.read(_known_uri, self._urls, uri)
        if known is not None and (known.host == "" or is_blocked or not _is_stale(known)):
            return _living(known)
        if is_blocked or self._urls.is_local(directory.canonical(uri)):
            return None
        try:
            return await self.fetch_actor(uri, pins=pins)
        except FediverseError as error:
            log.info("discovery.actor_failed", uri=uri, error=str(error))
            return _living(known)

    async def find_object(self, uri: str) -> Row[Any] | None:
        """The status with this id or page address, fetched (with what it answers) when unknown; None if not to be had.

        What is found is stored without being news to anybody.
        """
        known, is_blocked = await self._database.read(_known_status, self._urls, uri)
        if known is not None or is_blocked or self._urls.is_local(directory.canonical(uri)):
            return known if known is not None and known.deleted_at is None else None
        try:
            thread = await threads.fetch(self, self._database, self._urls, uri, sign=await self.signer())
        except FediverseError as error:
            log.info("discovery.object_failed", uri=uri, error=str(error))
            return None
        if not thread:
            return None
        return await self._database.write(threads.store, self._urls, thread, now=clock.now())

    async def refresh(self, actor: Row[Any]) -> Row[Any] | None:
        """The remote actor as its server describes it now; None when it is gone for good. Local ones are as they are.

        Raises RemoteError when its server cannot be asked.
        """
        if actor.host == "":
            return actor
        try:
            return await self.fetch_actor(actor.uri, pins=True)
        except Answered as error:
            if error.code != 410:  # a 404 may be a mistake, and is checked again another day
                raise
            await self._database.write(directory.mark_gone, actor.id, clock.now())
            return None

    async def fetch_actor(self, uri: str, *, pins: bool = False) -> Row[Any]:
        """The actor at ``uri``, fetched now, its handle confirmed, stored. One fetch serves all who wait for it.

        Raises RemoteError or another FediverseError with the reason; for five minutes the same failure is not tried
        again.
        """
        uri = directory.canonical(uri)
        if self._failures.get(uri):
            raise RemoteError("This account could not be fetched a moment ago. Please try again in a few minutes.")
        try:
            return await self._flights.do(uri, lambda: self._fetch_actor(uri, pins=pins))
        except FediverseError:
            self._failures.put(uri, True)
            raise

    async def _fetch_actor(self, uri: str, *, pins: bool) -> Row[Any]:
        draft = await self.read_actor(uri)
        if directory.canonical(draft.uri) != uri:
            await self._refuse_blocked(draft.uri)
        return await self.learn(draft, pins=pins)

    async def read_actor(self, uri: str) -> ActorDraft:
        """What the document at ``uri`` says of the actor that it describes; nothing is stored.

        Raises RemoteError when there is no document that speaks for its own address, Invalid when it is no actor.
        """
        document = await self.remote.get_document(uri, sign=await self.signer())
        draft = read_actor(document.body)
        if target(draft.uri).url != document.url_final:
            raise Mismatch("This document speaks for another address than its own.")
        return draft

    async def learn(self, draft: ActorDraft, *, pins: bool = False) -> Row[Any]:
        """The actor that was read is stored under the handle that WebFinger confirms for it.

        Where its server has no WebFinger, the handle is made of what the document and the id say. Raises Mismatch when
        the handle is somebody else's.
        """
        username, host = await self._confirmed_handle(draft)
        return await self._database.write(_store, draft, username, host, pins=pins, now=clock.now())

    async def _confirmed_handle(self, draft: ActorDraft) -> tuple[str, str]:
        own = target(draft.uri).yarl.authority
        try:
            found = await self.remote.handle_of(draft.username, draft.uri)
        except Mismatch:
            raise
        except RemoteError:
            return draft.username, own
        return found.user, found.host

    async def _refuse_blocked(self, uri: str) -> None:
        if await self._database.read(moderation.host_severity, target(uri).yarl.authority) == "block":
            raise Mismatch("This account is on a server that is blocked here.")

    def job_kinds(self) -> Mapping[str, Callable[[Mapping[str, Any]], Awaitable[None]]]:
        """The background work that this room does, for the jobs worker."""
        return {"actors.refresh": self._do_refresh, "actors.featured": self._do_featured}

    async def _do_refresh(self, payload: Mapping[str, Any]) -> None:
        actor = await self._database.read(directory.by_id, payload["actor_id"])
        if actor is None or actor.deleted_at is not None or not (_is_stale(actor) or payload.get("now")):
            return
        try:
            await self.refresh(actor)
        except Answered as error:
            if error.code == 404 and payload.get("missing"):  # days after its inbox went
                await self._database.write(relations.forget_follower, actor.id)
            log.info("discovery.refresh_failed", uri=actor.uri, error=str(error))
        except FediverseError as error:
            # It stays as it was; the next sign of life has it tried again.
            log.info("discovery.refresh_failed", uri=actor.uri, error=str(error))

    async def _do_featured(self, payload: Mapping[str, Any]) -> None:
        actor = await self._database.read(directory.by_id, payload["actor_id"])
        if actor is None or actor.host == "" or actor.featured_uri is None or actor.suspended_at or actor.deleted_at:
            return
        try:
            async with asyncio.timeout(FEATURED_SECONDS):
                await featured.read(self, self._database, self._urls, actor, sign=await self.signer())
        except (FediverseError, TimeoutError) as error:
            log.info("discovery.featured_failed", uri=actor.uri, error=str(error))


def refresh_later(tx: Connection, actor: Row[Any], *, now: Instant) -> None:
    """A remote actor that was fetched more than a day ago is fetched again soon, once."""
    if actor.host != "" and _is_stale(actor, now=now):
        jobs.enqueue(tx, "actors.refresh", {"actor_id": actor.id}, unique_key=str(actor.id))


def _store(tx: Connection, draft: ActorDraft, username: str, host: str, *, pins: bool, now: Instant) -> Row[Any]:
    actor = directory.upsert_remote(tx, draft, host=host, username=username, now=now)
    if pins and actor.featured_uri is not None and actor.suspended_at is None:
        jobs.enqueue(tx, "actors.featured", {"actor_id": actor.id}, unique_key=str(actor.id))
    return actor


def _known_handle(tx: Connection, username: str, host: str) -> tuple[Row[Any] | None, bool]:
    return directory.by_handle(tx, username, host), moderation.host_severity(tx, host) == "block"


def _known_uri(tx: Connection, urls: Urls, uri: str) -> tuple[Row[Any] | None, bool]:
    uri = directory.canonical(uri)
    here = urls.parse(uri)
    if here is not None:
        found = directory.by_uri(tx, urls, uri)
        if found is None and here.kind == "actor":  # the page for people
            found = directory.by_uri(tx, urls, urls.actor(here.username))
        return found, False
    return directory.by_uri(tx, urls, uri), _is_blocked(tx, uri)


def _known_status(tx: Connection, urls: Urls, uri: str) -> tuple[Row[Any] | None, bool]:
    uri = directory.canonical(uri)
    return statuses.by_uri(tx, urls, uri), urls.parse(uri) is None and _is_blocked(tx, uri)


def _is_blocked(tx: Connection, uri: str) -> bool:
    try:
        return moderation.host_severity(tx, target(uri).yarl.authority) == "block"
    except RemoteError:
        return True  # no address at all: there is nothing to fetch


def _is_stale(actor: Row[Any], *, now: Instant | None = None) -> bool:
    return (actor.fetched_at or 0) < (now or clock.now()) - STALE


def _living(actor: Row[Any] | None) -> Row[Any] | None:
    return actor if actor is not None and actor.deleted_at is None else None
