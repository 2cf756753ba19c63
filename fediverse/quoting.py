"""Quotes of other servers looked into in the background: the quoted post is fetched, and its author's consent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, Row

from fediverse import clock, jobs, statuses
from fediverse.actors import directory
from fediverse.actors.discovery import Discovery
from fediverse.db import Database
from fediverse.documents import normalise_uri, same_origin
from fediverse.documents.quotes import read_authorization
from fediverse.errors import FediverseError
from fediverse.inbox import threads
from fediverse.statuses import quotes
from fediverse.urls import Urls

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A remote status that says it quotes something."""

    row: Row[Any]
    author_uri: str
    quoted: Row[Any] | None
    quoted_author_uri: str


class Quoting:
    """The job that quotes need. One per process."""

    def __init__(self, database: Database, discovery: Discovery, urls: Urls) -> None:
        self._database = database
        self._discovery = discovery
        self._urls = urls

    def job_kinds(self) -> dict[str, jobs.Job]:
        """The work, by kind."""
        return {quotes.VERIFY: self._verify, quotes.FETCH: self._fetch}

    async def _verify(self, payload: Mapping[str, Any]) -> None:
        claim = await self._database.read(_claim, self._urls, payload["status_id"])
        if claim is None:
            return
        try:
            if claim.quoted is None:
                claim = await self._with_quoted(claim)
            agreed = claim is not None and await self._is_agreed(claim)
        except FediverseError as error:
            log.info("quoting.fetch_failed", uri=payload["status_id"], error=error.message)
            return
        if agreed and claim is not None:
            await self._database.write(_accept, self._urls, claim)

    async def _fetch(self, payload: Mapping[str, Any]) -> None:
        """A post that was let quote one of ours is here."""
        uri = payload["uri"]
        if await self._database.read(threads.find, self._urls, uri) is not None:
            return
        try:
            sign = await self._discovery.signer()
            thread = await threads.fetch(self._discovery, self._database, self._urls, uri, sign=sign)
        except FediverseError as error:
            log.info("quoting.fetch_failed", uri=uri, error=error.message)
            return
        await self._database.write(threads.store, self._urls, thread, now=clock.now())

    async def _with_quoted(self, claim: _Claim) -> _Claim | None:
        """The claim with the quoted post, fetched from its own server."""
        uri = claim.row.quote_uri
        if not await self._database.read(threads.is_fetchable, self._urls, uri):
            return None
        thread = await threads.fetch(
            self._discovery, self._database, self._urls, uri, sign=await self._discovery.signer()
        )
        return await self._database.write(_store, self._urls, claim.row.id, thread)

    async def _is_agreed(self, claim: _Claim) -> bool:
        """Whether the author of the quoted post agrees: it is their own quote, or they say so on their own server."""
        row, quoted = claim.row, claim.quoted
        if quoted is None:
            return False
        if quoted.author_id == row.author_id:
            return True
        if quoted.local or row.quote_authorization is None:
            return False
        if not same_origin(row.quote_authorization, claim.quoted_author_uri):
            return False
        document = await self._discovery.remote.get_document(
            row.quote_authorization, sign=await self._discovery.signer()
        )
        found = read_authorization(document.body)
        expected = (document.url_final, claim.quoted_author_uri, row.uri, quoted.uri)
        return found is not None and all(
            normalise_uri(one) == normalise_uri(other) for one, other in zip(found, expected, strict=True)
        )


def _claim(tx: Connection, urls: Urls, status_id: int) -> _Claim | None:
    row = statuses.by_id(tx, status_id)
    if row is None or row.deleted_at is not None or row.local or row.quote_state != "pending":
        return None
    author = directory.by_id(tx, row.author_id)
    if author is None:
        return None
    quoted = statuses.by_uri(tx, urls, row.quote_uri)
    if quoted is None or quoted.deleted_at is not None or quoted.boost_of_id is not None:
        return _Claim(row, author.uri, None, "")
    quoted_author = directory.by_id(tx, quoted.author_id)
    return _Claim(row, author.uri, quoted, directory.uri_of(urls, quoted_author)) if quoted_author else None


def _store(tx: Connection, urls: Urls, status_id: int, thread: list[threads.Fetched]) -> _Claim | None:
    threads.store(tx, urls, thread, now=clock.now())
    return _claim(tx, urls, status_id)


def _accept(tx: Connection, urls: Urls, claim: _Claim) -> None:
    if claim.quoted is not None:
        quotes.accept(
            tx, urls, claim.row, quoted=claim.quoted, authorization=claim.row.quote_authorization, now=clock.now()
        )
