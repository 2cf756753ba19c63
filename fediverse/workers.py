"""The workers of a process: what was received is applied, what was published is delivered, jobs are done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiohttp import web
from sqlalchemy import Connection

from fediverse import (
    access,
    announcements,
    clock,
    jobs,
    keys,
    mail,
    media,
    metrics,
    queue,
    scheduled,
    search,
    statuses,
    timelines,
    trends,
)
from fediverse.actors import hidden_hosts, people, signing_up, verification
from fediverse.cards import fetching
from fediverse.db import Database
from fediverse.inbox.worker import Worker as InboxWorker
from fediverse.outbox.delivery import Worker as DeliveryWorker
from fediverse.polling import Polling
from fediverse.push.worker import Worker as PushWorker
from fediverse.quoting import Quoting
from fediverse.tables.instance import jobs as jobs_table
from fediverse.transfer import imports
from fediverse.transfer.importing import Importer

log = structlog.get_logger(__name__)

_HOUR_SECONDS = 3600.0


class Workers:
    """All workers of this process, over one database."""

    def __init__(self, app: web.Application) -> None:
        settings, database, hub = app[keys.SETTINGS], app[keys.DATABASE], app[keys.HUB]
        self._database = database
        self._remote_files = app[keys.REMOTE_FILES]
        self._workplace = settings.workplace
        self._inbox = InboxWorker(database, hub, app[keys.DISCOVERY], app[keys.URLS])
        self._delivery = DeliveryWorker(
            database,
            hub,
            app[keys.REMOTE],
            urls=app[keys.URLS],
            secret=settings.secret,
            on_outcomes=_count_deliveries,
        )
        self._pushes = PushWorker(database, hub, app[keys.REMOTE], site=app[keys.SITE], secret=settings.secret)
        kinds: dict[str, jobs.Job] = {
            "spread": _Spread(database, timelines.spread),
            "spread_tagged": _Spread(database, timelines.spread_tagged),
            search.REINDEX: _Reindex(database),
            **app[keys.DISCOVERY].job_kinds(),
            **mail.job_kinds(database, app[keys.URLS], settings),
            **verification.job_kinds(database, app[keys.REMOTE], app[keys.URLS]),
            **announcements.job_kinds(database),
            **trends.job_kinds(database),
            **Importer(database, app[keys.DISCOVERY], app[keys.URLS]).job_kinds(),
            **hidden_hosts.job_kinds(database, app[keys.URLS]),
            **fetching.job_kinds(database, app[keys.REMOTE]),
            **Polling(database, app[keys.DISCOVERY], app[keys.URLS]).job_kinds(),
            **scheduled.job_kinds(database, app[keys.DISCOVERY], app[keys.URLS]),
            **Quoting(database, app[keys.DISCOVERY], app[keys.URLS]).job_kinds(),
            **media.job_kinds(database, app[keys.PICTURES], settings.workplace),
        }
        self._jobs = jobs.Worker(database, hub, kinds)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set, and then finishes what is under way."""
        async with asyncio.TaskGroup() as group:
            for work in (self._inbox.run, self._delivery.run, self._pushes.run, self._run_jobs, self._keep_house):
                group.create_task(_go_on(work, stop))

    async def _run_jobs(self, stop: asyncio.Event) -> None:
        if self._database.is_sqlite:
            await self._database.write(queue.drop_leases, jobs_table)
        await self._database.write(trends.schedule, now=clock.now())
        await self._jobs.run(stop)

    async def tick(self) -> int:
        """One pass over every queue, for tests; returns how much was done."""
        return (
            await self._inbox.tick() + await self._jobs.tick() + await self._delivery.tick() + await self._pushes.tick()
        )

    async def _keep_house(self, stop: asyncio.Event) -> None:
        """Once an hour, what has expired is forgotten."""
        while not stop.is_set():
            try:
                await self._database.write(access.sweep, now=clock.now())
                await self._database.write(imports.sweep, now=clock.now())
                while await self._database.write(media.attachments.sweep, now=clock.now()):
                    continue
                await self._remote_files.evict()
                await asyncio.to_thread(media.uploads.tidy, self._workplace, now=time.time())
                await self._database.write(signing_up.forget_unconfirmed, now=clock.now())
                await self._database.write(people.sweep, now=clock.now())
            except Exception:
                log.exception("workers.housekeeping_failed")
            await queue.sleep_until_woken(stop, seconds=_HOUR_SECONDS, keep=True)


async def _go_on(work: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> None:
    """The work goes on until ``stop`` is set, whatever it trips over: a database locked at start ends no worker."""
    while not stop.is_set():
        try:
            await work(stop)
        except Exception:
            log.exception("workers.failed")
            await queue.sleep_until_woken(stop, keep=True)


WORKERS: web.AppKey[Workers] = web.AppKey("workers")


async def prepare(app: web.Application) -> AsyncIterator[None]:
    """The workers exist, and wait."""
    app[WORKERS] = Workers(app)
    yield


async def running(app: web.Application) -> AsyncIterator[None]:
    """The workers run until the application stops."""
    stop = asyncio.Event()
    task = asyncio.create_task(app[WORKERS].run(stop))
    yield
    stop.set()
    await task


class _Spread:
    """A post of somebody with many local followers, or with a hashtag that many follow, reaches the rest of their home
    timelines, 500 at a time.
    """

    def __init__(self, database: Database, spread: Callable[..., object]) -> None:
        self._database = database
        self._spread = spread

    async def __call__(self, payload: Mapping[str, Any]) -> None:
        await self._database.write(_spread, self._spread, payload["status_id"], payload["after"])


class _Reindex:
    """What is stored already is found by its words, a part at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, payload: Mapping[str, Any]) -> None:
        await self._database.write(search.reindex_part, payload)


def _spread(tx: Connection, spread: Callable[..., object], status_id: int, after: int) -> None:
    status = statuses.by_id(tx, status_id)
    if status is not None and status.deleted_at is None:
        spread(tx, status, after=after)


def _count_deliveries(outcomes: Mapping[str, int]) -> None:
    for outcome, count in outcomes.items():
        metrics.DELIVERIES.labels(outcome).inc(count)
