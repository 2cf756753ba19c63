"""Background work that is neither a received activity nor a delivery.

Domain code says ``enqueue(tx, kind, payload)`` in the transaction that makes the work necessary. A worker claims due
rows and hands each to the function that was registered for its kind; a failure is tried again later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from sqlalchemy import Connection

from fediverse import clock, events, ids, queue
from fediverse.clock import Instant
from fediverse.db import Database, insert
from fediverse.tables.instance import jobs

log = structlog.get_logger(__name__)

_BATCH = 16

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
    """Runs jobs. ``kinds`` says which function does which kind of work."""

    def __init__(self, database: Database, hub: events.Hub, kinds: Mapping[str, Job]) -> None:
        self._database = database
        self._waker = hub.waker("jobs")
        self._kinds = dict(kinds)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set."""
        while not stop.is_set():
            try:
                if not await self.tick():
                    await queue.sleep_until_woken(self._waker)
            except Exception:
                log.exception("jobs.pass_failed")
                await asyncio.sleep(queue.POLL_SECONDS)

    async def tick(self) -> int:
        """One pass over what is due; returns how many jobs ran."""
        now = clock.now()
        claimed = await self._database.write(queue.claim, jobs, now=now, limit=_BATCH)
        await asyncio.gather(*(self._do(row) for row in claimed))
        return len(claimed)

    async def _do(self, row: Any) -> None:
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
