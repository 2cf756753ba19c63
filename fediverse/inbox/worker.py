"""The inbox worker: claims what was received, fetches what it needs, applies it, settles it.

Activities that need nothing are applied together, a savepoint for each, in one transaction that also settles them: a
crash before its commit leaves them pending, a crash after it leaves nothing to do. Those that need something from
elsewhere go to a lane, one per signer, so that a slow server delays nobody but itself; the signer's later activities
wait in the table until the lane is through, which keeps their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlalchemy import Connection, Row, exc

from fediverse import clock, metrics, queue
from fediverse.actors.discovery import Discovery, refresh_later
from fediverse.clock import Instant
from fediverse.db import Database, savepoint
from fediverse.errors import FediverseError, Unavailable
from fediverse.events import Hub
from fediverse.inbox import flags, follows, posts, profiles, quotes, reactions, store, threads  # noqa: F401 handlers register on import
from fediverse.inbox.activity import Outcome, Supplies
from fediverse.inbox.prepare import Prepared, Want, prepare
from fediverse.remote import Answered, RemoteError, Unreachable
from fediverse.urls import Urls

log = structlog.get_logger(__name__)

BATCH = 100
MAX_LANES = 32
VITAL_ATTEMPTS = 4
"""How often something without which an activity means nothing is asked for, over some two minutes."""

_RENEW_SECONDS = 10.0
_PURGE_SECONDS = 3600.0
_DEFER_MS: Instant = 1000
# Between two passes: under load a pass then has a score of activities, whose queries and commit it shares.
_GATHER_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class _Result:
    row: Row[Any]
    type: str
    outcome: Outcome | None  # None: tried again later
    reason: str | None = None


class Worker:
    """Applies received activities. Any number of processes may run one on one database."""

    def __init__(self, database: Database, hub: Hub, discovery: Discovery, urls: Urls) -> None:
        self._database = database
        self._waker = hub.waker("received")
        self._discovery = discovery
        self._urls = urls
        self._lanes: dict[int, asyncio.Task[int]] = {}
        self._held: set[int] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set; then what is under way is finished and the rest given back."""
        if self._database.is_sqlite:  # whoever held a lease there has died
            await self._database.write(store.drop_leases)
        keeper = asyncio.create_task(self._keep_up())
        try:
            while not stop.is_set():
                try:
                    count = await self._pass()
                    if not count:
                        await queue.sleep_until_woken(self._waker)
                    elif count < BATCH:
                        await asyncio.sleep(_GATHER_SECONDS)
                except Exception:
                    log.exception("inbox.pass_failed")
                    await asyncio.sleep(queue.POLL_SECONDS)
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
            await self._drain()

    async def tick(self) -> int:
        """One pass over all that is due, fetches included; returns how many activities were handled. For tests."""
        handled = 0
        while count := await self._pass():
            handled += count
            if self._lanes:
                await asyncio.gather(*self._lanes.values())
        return handled

    async def _pass(self) -> int:
        """Claims a batch, applies what can be applied at once, sends the rest to lanes; how many were claimed."""
        now = clock.now()
        rows = await self._database.write(store.claim, now=now, limit=BATCH, busy=frozenset(self._lanes))
        if not rows:
            return 0
        prepared = await self._prepare(rows)
        at_once, slow = _part(prepared)
        if at_once:
            await self._apply(at_once)
        for signer_id, waiting in slow.items():
            await self._open_lane(signer_id, waiting)
        return len(rows)

    async def _prepare(self, rows: Sequence[Row[Any]]) -> list[Prepared]:
        """The rows that can be read, prepared; what one of them breaks here keeps none of the others waiting."""
        try:
            return await self._database.read(prepare, self._urls, rows, now=clock.now())
        except Unavailable:
            raise
        except Exception as error:
            if len(rows) > 1:
                return [one for row in rows for one in await self._prepare([row])]
            log.exception("inbox.prepare_failed", type=rows[0].type, activity_id=rows[0].id)
            await self._database.write(_postpone, rows[0], repr(error), now=clock.now())
            return []

    async def _open_lane(self, signer_id: int, waiting: Sequence[Prepared]) -> None:
        rows = [one.row for one in waiting]
        if len(self._lanes) >= MAX_LANES or signer_id in self._lanes:
            later = clock.now() + _DEFER_MS
            await self._database.write(store.defer, [row.id for row in rows], due_at=later)
            return
        self._held.update(row.id for row in rows)
        lane = asyncio.create_task(self._work_lane(rows))
        self._lanes[signer_id] = lane
        lane.add_done_callback(lambda _: self._close_lane(signer_id, rows))

    def _close_lane(self, signer_id: int, rows: Sequence[Row[Any]]) -> None:
        self._lanes.pop(signer_id, None)
        self._held.difference_update(row.id for row in rows)
        self._waker.set()  # more of this signer may be waiting in the table

    async def _work_lane(self, rows: Sequence[Row[Any]]) -> int:
        """One signer's activities, in order."""
        try:
            for row in rows:
                # Prepared anew: what came before may have changed what is needed.
                for one in await self._prepare([row]):
                    await self._work(one)
                self._held.discard(row.id)
        except Exception:
            log.exception("inbox.lane_failed", signer_id=rows[0].signer_id)  # the leases run out, and it is tried again
        return len(rows)

    async def _work(self, one: Prepared) -> None:
        """What the activity needs is fetched, and it is applied, or tried again later."""
        try:
            supplies = await self._fetch(one.want, one.row) if one.want is not None else Supplies()
        except _NotYet as error:
            await self._database.write(_postpone, one.row, str(error), now=clock.now())
            return
        if one.activity is not None:
            one = replace(one, activity=replace(one.activity, supplies=supplies))
        await self._apply([one])

    async def _fetch(self, want: Want, row: Row[Any]) -> Supplies:
        """What is wanted, or nothing where it cannot be had. Raises _NotYet where trying later may help."""
        try:
            if want.kind == "signer":
                return Supplies(signer=await self._discovery.read_actor(want.uri))
            sign = await self._discovery.signer()
            if want.as_actor is not None:
                sign = await self._discovery.signer_for(want.as_actor)
            thread = await threads.fetch(self._discovery, self._database, self._urls, want.uri, sign=sign)
            return Supplies(thread=thread)
        except FediverseError as error:
            log.info("inbox.fetch_failed", uri=want.uri, error=str(error))
            if want.vital and row.attempts < VITAL_ATTEMPTS and _may_pass(error):
                raise _NotYet(error.message) from error
            return Supplies()

    async def _apply(self, prepared: Sequence[Prepared]) -> None:
        """The activities have their effect; one at which the database gives up keeps none of the others waiting."""
        try:
            results = await self._database.write(apply, prepared, now=clock.now())
        except Unavailable:
            raise
        except Exception as error:
            if len(prepared) > 1:
                for one in prepared:
                    await self._apply([one])
                return
            row = prepared[0].row
            log.exception("inbox.apply_failed", type=row.type, activity_id=row.id)
            await self._database.write(_postpone, row, repr(error), now=clock.now())
            return
        for result in results:
            if result.outcome is not None:
                metrics.APPLIED.labels(result.type, result.outcome).inc()

    async def _keep_up(self) -> None:
        """Leases of slow lanes are renewed, and old rows purged."""
        purge_in = 0.0
        while True:
            try:
                if self._held:
                    await self._database.write(store.renew, list(self._held), now=clock.now())
                if purge_in <= 0:
                    purge_in = 0.0 if await self._database.write(store.purge, now=clock.now()) else _PURGE_SECONDS
            except Exception:
                log.exception("inbox.upkeep_failed")
            await asyncio.sleep(_RENEW_SECONDS)
            purge_in -= _RENEW_SECONDS

    async def _drain(self) -> None:
        """Lanes are ended, and what they held is free for others at once."""
        held = list(self._held)
        lanes = list(self._lanes.values())
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
        if held:
            await self._database.write(store.release, held)


class _NotYet(Exception):
    """Something could not be had just now."""


def _may_pass(error: FediverseError) -> bool:
    """Whether another server's failure is one that may be over soon."""
    if isinstance(error, Answered):
        return error.code in {408, 425, 429} or error.code >= 500
    return isinstance(error, Unreachable) or type(error) is RemoteError


def _part(prepared: Sequence[Prepared]) -> tuple[list[Prepared], dict[int, list[Prepared]]]:
    """What can be applied at once, and by signer what has to wait for a fetch, or for one that has to."""
    at_once: list[Prepared] = []
    slow: dict[int, list[Prepared]] = {}
    for one in prepared:
        signer_id = one.row.signer_id
        if one.want is not None or signer_id in slow:
            slow.setdefault(signer_id, []).append(one)
        else:
            at_once.append(one)
    return at_once, slow


def apply(tx: Connection, prepared: Sequence[Prepared], *, now: Instant) -> list[_Result]:
    """The activities have their effect and are settled, all in this transaction; each stands or falls by itself."""
    pending = store.pending(tx, [one.row.id for one in prepared])
    prepared = [one for one in prepared if one.row.id in pending]
    try:
        # Nearly always nothing goes wrong: one savepoint for all is enough.
        with savepoint(tx):
            results = [_run(tx, one) for one in prepared]
    except exc.OperationalError:
        raise  # the database, not an activity: the whole batch is tried again
    except Exception:
        results = [_run_alone(tx, one, now=now) for one in prepared]
    settled: dict[tuple[Outcome, str | None], list[int]] = {}
    for result in results:
        if result.outcome is not None:
            settled.setdefault((result.outcome, result.reason), []).append(result.row.id)
    for (outcome, reason), row_ids in settled.items():
        store.settle(tx, row_ids, outcome=outcome, error=reason)
    for signer in {one.activity.signer.id: one.activity.signer for one in prepared if one.activity}.values():
        refresh_later(tx, signer, now=now)
    return results


def _run(tx: Connection, one: Prepared) -> _Result:
    """What came of the activity; what the handler raises is raised."""
    if one.refused is not None:
        return _Result(one.row, one.row.type, "refused", one.refused)
    if one.handler is None or one.activity is None:
        return _Result(one.row, "other", "ignored")
    return _Result(one.row, one.activity.draft.type, one.handler.handle(tx, one.activity))


def _run_alone(tx: Connection, one: Prepared, *, now: Instant) -> _Result:
    """What came of the activity, undone where its handler failed."""
    try:
        with savepoint(tx):
            return _run(tx, one)
    except FediverseError as error:
        return _Result(one.row, one.row.type, "refused", error.message)
    except exc.OperationalError:
        raise
    except Exception as error:
        log.exception("inbox.handler_failed", type=one.row.type, activity_id=one.row.id)
        return _Result(one.row, one.row.type, store.postpone(tx, one.row, error=repr(error), now=now), repr(error))


def _postpone(tx: Connection, row: Row[Any], error: str, *, now: Instant) -> None:
    store.postpone(tx, row, error=error, now=now)
