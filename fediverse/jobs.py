"""Background work that is neither a received activity nor a delivery.

Domain code says ``enqueue(tx, kind, payload)`` in the transaction that makes the work necessary. A worker claims due
rows and hands each to the function that was registered for its kind; a failure is tried again later.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, Row

from fediverse import clock, events, ids, queue
from fediverse.clock import Instant
from fediverse.db import Database, insert
from fediverse.tables.instance import jobs

log = structlog.get_logger(__name__)

SLOTS = 16
SLOTS_OF_KIND = 8
_RENEW_SECONDS = 10.0
_DRAIN_SECONDS = 20.0

Job = Callable[[Mapping[str, Any]], Awaitable[None]]


def enqueue(
    tx: Connection,
    kind: str,
    payload: Mapping[str, Any],
    *,
    unique_key: str | None = None,
    due_at: Instant | None = None,
) -> None:
    """The work is done once ``tx`` is committed and ``due_at`` has come; ``unique_key`` queues the same work once."""
    now = clock.now()
    tx.execute(
        insert(tx, jobs)
        .values(
            id=ids.new_id(),
            kind=kind,
            payload=dict(payload),
            unique_key=f"{kind}:{unique_key}" if unique_key else None,
            due_at=due_at or now,
        )
        .on_conflict_do_nothing(index_elements=["unique_key"])
    )
    if due_at is None or due_at <= now:
        events.after_commit(tx, events.Woken("jobs"))


class Worker:
    """Runs jobs. ``kinds`` says which function does which kind of work.

    Sixteen at once, of one kind half as many: slow servers or long videos keep nothing else waiting.
    """

    def __init__(self, database: Database, hub: events.Hub, kinds: Mapping[str, Job]) -> None:
        self._database = database
        self._waker = hub.waker("jobs")
        self._kinds = dict(kinds)
        self._running: dict[int, asyncio.Task[None]] = {}
        self._of_kind: Counter[str] = Counter()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set; then what is under way has 20 seconds, and is free for others after that."""
        keeper = asyncio.create_task(self._keep_leases())
        try:
            while not stop.is_set():
                try:
                    if not await self._begin():
                        await queue.sleep_until_woken(self._waker)
                except Exception:
                    log.exception("jobs.pass_failed")
                    await asyncio.sleep(queue.POLL_SECONDS)
            await self._drain()
        finally:
            keeper.cancel()

    async def tick(self) -> int:
        """What is due now was done; returns how many jobs ran."""
        count = await self._begin()
        if self._running:
            await asyncio.wait(self._running.values())
        return count

    async def _begin(self) -> int:
        """Due jobs are under way, as many as there is room for; how many were begun."""
        busy = [kind for kind, count in self._of_kind.items() if count >= SLOTS_OF_KIND]
        most = max((count for count in self._of_kind.values() if count < SLOTS_OF_KIND), default=0)
        room = min(SLOTS - len(self._running), SLOTS_OF_KIND - most)  # all of them may be of one kind
        if room <= 0:
            return 0
        claimed = await self._database.write(_claim, limit=room, busy=busy, now=clock.now())
        for row in claimed:
            task = asyncio.create_task(self._do(row))
            self._running[row.id] = task
            self._of_kind[row.kind] += 1
            task.add_done_callback(partial(self._ended, row))
        return len(claimed)

    def _ended(self, row: Row[Any], task: asyncio.Task[None]) -> None:
        del self._running[row.id]
        self._of_kind[row.kind] -= 1
        self._waker.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("jobs.unsettled", kind=row.kind, error=repr(task.exception()))  # its lease runs out

    async def _do(self, row: Row[Any]) -> None:
        try:
            await self._kinds[row.kind](row.payload)
        except Exception as error:
            wait = queue.local_backoff(row.attempts)
            log.warning("jobs.failed", kind=row.kind, attempts=row.attempts, error=repr(error), given_up=wait is None)
            if wait is not None:
                due = clock.now() + wait
                await self._database.write(queue.postpone, jobs, row.id, due_at=due, error=repr(error))
                return
        await self._database.write(queue.settle, jobs, [row.id])

    async def _keep_leases(self) -> None:
        """Jobs that take longer than a lease lasts stay with this worker."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            try:
                if self._running:
                    await self._database.write(queue.renew, jobs, list(self._running), now=clock.now())
            except Exception:
                log.exception("jobs.renewal_failed")

    async def _drain(self) -> None:
        if not self._running:
            return
        left = dict(self._running)
        _, late = await asyncio.wait(left.values(), timeout=_DRAIN_SECONDS)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
            held = [id_ for id_, task in left.items() if task in late and task.cancelled()]
            await self._database.write(queue.release, jobs, held)


def _claim(tx: Connection, *, limit: int, busy: Sequence[str], now: Instant) -> Sequence[Row[Any]]:
    return queue.claim(tx, jobs, now=now, limit=limit, where=(jobs.c.kind.not_in(busy),) if busy else ())
