"""Polls in the background: closed when their time has come, told of, and asked after on other servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy import Connection, Row

from fediverse import clock, jobs, statuses
from fediverse.actors import directory
from fediverse.actors.discovery import Discovery
from fediverse.db import Database
from fediverse.drafts import NoteDraft, Visibility
from fediverse.errors import FediverseError
from fediverse.inbox import threads
from fediverse.statuses import polls
from fediverse.urls import Urls

log = structlog.get_logger(__name__)


class Polling:
    """The jobs that polls need. One per process."""

    def __init__(self, database: Database, discovery: Discovery, urls: Urls) -> None:
        self._database = database
        self._discovery = discovery
        self._urls = urls

    def job_kinds(self) -> dict[str, jobs.Job]:
        """The work, by kind."""
        return {polls.CLOSE: self._close, polls.TELL: self._tell, polls.REFRESH: self._refresh}

    async def _close(self, payload: Mapping[str, Any]) -> None:
        """A poll that is told to have ended shows how it ended, where its server can be asked."""
        await self._fetch(payload["status_id"], viewer_id=None)
        await self._database.write(
            polls.close, self._urls, payload["status_id"], payload["expires_at"], now=clock.now()
        )

    async def _tell(self, payload: Mapping[str, Any]) -> None:
        await self._database.write(polls.tell, self._urls, payload["status_id"], now=clock.now())

    async def _refresh(self, payload: Mapping[str, Any]) -> None:
        await self._fetch(payload["status_id"], viewer_id=payload["viewer_id"])

    async def _fetch(self, status_id: int, *, viewer_id: int | None) -> None:
        """The poll of a remote status has the counts of its server, where that answers; else it stays as it is."""
        found = await self._database.read(_known, status_id)
        if found is None:
            return
        row, author = found
        if Visibility(row.visibility).is_public:
            viewer_id = None  # nobody need know who looks
        elif viewer_id is None:
            viewer_id = await self._database.read(polls.a_local_voter, row.id)
        try:
            sign = await (self._discovery.signer_for(viewer_id) if viewer_id else self._discovery.signer())
            draft = await threads.fetch_note(self._discovery.remote, row.uri, sign=sign)
        except FediverseError as error:
            log.info("polling.fetch_failed", uri=row.uri, error=str(error))
            return
        await self._database.write(_refreshed, row.id, author.uri, draft)


def _known(tx: Connection, status_id: int) -> tuple[Row[Any], Row[Any]] | None:
    """A remote status with a poll that may have other counts by now, and its author."""
    row = statuses.by_id(tx, status_id)
    if row is None or row.deleted_at is not None or not polls.is_stale(row, clock.now()):
        return None
    author = directory.by_id(tx, row.author_id)
    return (row, author) if author is not None and author.suspended_at is None else None


def _refreshed(tx: Connection, status_id: int, author_uri: str, draft: NoteDraft) -> None:
    row = statuses.by_id(tx, status_id)
    if row is not None and draft.uri == row.uri and draft.author_uri == author_uri:
        polls.refresh(tx, row, draft)
