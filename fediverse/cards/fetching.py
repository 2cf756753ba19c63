"""The pages behind cards, fetched in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Row

from fediverse import cards, clock, jobs, moderation
from fediverse.cards.pages import CardDraft, read_page, with_oembed
from fediverse.db import Database
from fediverse.errors import FediverseError
from fediverse.remote import Remote, RemoteError, target

log = structlog.get_logger(__name__)

MAX_PAGE: Final = 1024 * 1024
SECONDS: Final = 20.0


def job_kinds(database: Database, remote: Remote) -> dict[str, jobs.Job]:
    """The work that is left for later, by kind."""

    async def fetch(payload: Mapping[str, Any]) -> None:
        row = await database.read(_due, payload["id"])
        if row is None:
            return
        draft = None
        try:
            if await database.read(moderation.host_severity, target(row.url).authority) != "block":
                async with asyncio.timeout(SECONDS):
                    draft = await _read(remote, row.url)
        except (FediverseError, TimeoutError) as error:
            log.info("cards.fetch_failed", url=row.url, error=str(error))
        await database.write(cards.settle, row.id, draft, now=clock.now())

    return {cards.FETCH: fetch}


def _due(tx: Connection, card_id: int) -> Row[Any] | None:
    row = cards.by_id(tx, card_id)
    return row if row is not None and cards.is_due(row, clock.now()) else None


async def _read(remote: Remote, url: str) -> CardDraft | None:
    """The card of the page; None where it says nothing of itself."""
    here = target(url)
    if here.scheme == "http" and here.port == 80 and await remote.scheme_for(here.authority) == "https":
        here = target(url.replace("http", "https", 1))  # nothing is fetched in the clear; most answer there, too
    page = await remote.get_page(here.url, max_bytes=MAX_PAGE)
    draft = await asyncio.to_thread(read_page, page.content, page.charset, url=url, final_url=page.url_final)
    if draft.oembed is not None and not (draft.title and draft.image):
        try:
            draft = with_oembed(draft, await remote.get_json(draft.oembed), base=page.url_final)
        except RemoteError as error:
            log.info("cards.oembed_failed", url=draft.oembed, error=str(error))
    return draft if draft.title else None
