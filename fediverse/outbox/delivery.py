"""The worker of the way out: fan-outs become deliveries, deliveries become requests.

Three loops, woken by commits and by a slow poll. It can be killed at any instruction: a row is deleted only after its
inbox has answered, and what was held is claimed again when its lease has ended.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy import Connection

from fediverse import clock, queue
from fediverse.clock import DAY, HOUR, Instant
from fediverse.db import Database
from fediverse.errors import Unavailable
from fediverse.events import Hub
from fediverse.outbox import deliveries, hosts, publish
from fediverse.outbox.dispatch import Dispatcher
from fediverse.outbox.fanout import CLAIM, Fanout
from fediverse.outbox.sending import Poster
from fediverse.tables.outbox import deliveries as deliveries_table
from fediverse.tables.outbox import fanouts
from fediverse.urls import Urls

log = structlog.get_logger(__name__)

KEEP_SETTLED: Instant = DAY
_HOUSEKEEPING_SECONDS = HOUR / 1000
# Between two turns that fan out: who posts much, or many at once, share the transaction. A lone post does not wait.
_GATHER_SECONDS = 0.02


class Worker:
    """Delivers what was published. ``on_outcomes`` is told how many deliveries ended how."""

    def __init__(
        self,
        database: Database,
        hub: Hub,
        poster: Poster,
        *,
        urls: Urls,
        secret: bytes,
        rng: random.Random | None = None,
        on_outcomes: Callable[[dict[str, int]], None] | None = None,
    ) -> None:
        self._database = database
        self._fanout_waker = hub.waker("fanouts")
        self._waker = hub.waker("deliveries")
        self._fanout = Fanout(database, urls)
        self._dispatcher = Dispatcher(
            database, poster, self._waker, urls=urls, secret=secret, rng=rng, on_outcomes=on_outcomes
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set; then gives back what was not begun and finishes what is under way.

        That takes no longer than one delivery may: its time limit, twice where a second knock is due.
        """
        if self._database.is_sqlite:
            await self._database.write(_drop_leases)
        loops = [
            asyncio.create_task(_repeat(stop, self._fan_out, self._fanout_waker)),
            asyncio.create_task(_repeat(stop, self._fanout.step, self._fanout.waker)),
            asyncio.create_task(_repeat(stop, self._dispatcher.step, self._waker)),
            asyncio.create_task(self._keep_house(stop)),
        ]
        try:
            await stop.wait()
        finally:
            self._dispatcher.close()
            for waker in (self._fanout_waker, self._fanout.waker, self._waker):
                waker.set()
            await asyncio.gather(*loops)
            try:
                await self._dispatcher.drain()
            except Unavailable:
                log.warning("delivery.unsettled_at_stop")  # the leases end by themselves

    async def tick(self) -> int:
        """Everything that is due now was fanned out and tried; how many fan-outs and deliveries that were."""
        done = 0
        while True:
            before = done
            begun, claimed = await self._dispatcher.fan_out()
            self._fanout.take(begun.unfinished)
            done += begun.claimed + claimed
            while await self._fanout.step():
                done += 1
            done += await self._dispatcher.turn()
            if done == before and self._dispatcher.is_idle:
                return done
            await self._dispatcher.wait_for_change()

    async def _fan_out(self) -> bool:
        """Due fan-outs were begun; whether there may be more."""
        begun, _ = await self._dispatcher.fan_out()
        self._fanout.take(begun.unfinished)
        if 0 < begun.claimed < CLAIM:
            await asyncio.sleep(_GATHER_SECONDS)
        return begun.claimed >= CLAIM

    async def _keep_house(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._database.write(purge, now=clock.now())
            except Exception:
                log.exception("delivery.housekeeping_failed")
            try:
                async with asyncio.timeout(_HOUSEKEEPING_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue


def purge(tx: Connection, *, now: Instant) -> int:
    """Rows of the way out that are of no use any more are gone, some thousand at most; how many."""
    return (
        deliveries.purge(tx, now=now) + publish.purge_settled(tx, before=now - KEEP_SETTLED) + hosts.forget(tx, now=now)
    )


def _drop_leases(tx: Connection) -> None:
    """A starting process is the only one on a SQLite database: who held rows is dead."""
    queue.drop_leases(tx, fanouts)
    queue.drop_leases(tx, deliveries_table)


async def _repeat(stop: asyncio.Event, work: Callable[[], Awaitable[int]], waker: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            more = await work()
        except Unavailable as error:
            log.warning("delivery.database_away", error=error.message)
            more = 0
        except Exception:
            log.exception("delivery.pass_failed")
            await asyncio.sleep(queue.POLL_SECONDS)
            continue
        if not more:
            await queue.sleep_until_woken(waker)
