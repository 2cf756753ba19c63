"""Background work: side by side, kept while it lasts, tried again, given back at a stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import Connection, select

from fediverse import clock, jobs
from fediverse.db import Database
from fediverse.events import Hub
from fediverse.tables.instance import jobs as table


def _left(tx: Connection) -> list[Any]:
    return list(tx.execute(select(table).order_by(table.c.id)))


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_slow_work_of_one_kind_keeps_no_other_waiting(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_RENEW_SECONDS", 0.05)
    monkeypatch.setattr(jobs, "_DRAIN_SECONDS", 0.05)
    begun: list[int] = []
    quick: list[int] = []

    async def slow(payload: Mapping[str, Any]) -> None:
        begun.append(payload["n"])
        await asyncio.Event().wait()

    async def fast(payload: Mapping[str, Any]) -> None:
        quick.append(payload["n"])

    def fill(tx: Connection) -> None:
        for number in range(20):
            jobs.enqueue(tx, "slow", {"n": number})
        for number in range(3):
            jobs.enqueue(tx, "fast", {"n": number}, unique_key=str(number))
            jobs.enqueue(tx, "fast", {"n": number}, unique_key=str(number))

    await database.write(fill)
    stop, hub = asyncio.Event(), Hub()
    running = asyncio.create_task(jobs.Worker(database, hub, {"slow": slow, "fast": fast}).run(stop))
    await _until(lambda: len(quick) == 3)
    assert sorted(quick) == [0, 1, 2]
    assert begun == list(range(jobs.SLOTS_OF_KIND))
    first = (await database.read(_left))[0].leased_until
    async with asyncio.timeout(20):
        while (await database.read(_left))[0].leased_until <= first:
            await asyncio.sleep(0.01)
    stop.set()
    hub.waker("jobs").set()
    await running
    left = await database.read(_left)
    assert len(left) == 20
    assert [(row.leased_until, row.attempts) for row in left] == [(None, 0)] * 20


async def test_what_fails_is_tried_again_later(database: Database) -> None:
    async def broken(_payload: Mapping[str, Any]) -> None:
        raise RuntimeError("the reason")

    await database.write(jobs.enqueue, "broken", {})
    worker = jobs.Worker(database, Hub(), {"broken": broken})
    assert await worker.tick() == 1
    assert await worker.tick() == 0
    (row,) = await database.read(_left)
    assert "the reason" in row.last_error
    assert row.due_at > clock.now()
    assert (row.leased_until, row.attempts) == (None, 1)
