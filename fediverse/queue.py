"""Leased work in tables: claim, settle, try again later.

A queue is any table with the columns of ``tables.base.leased``. A claimed row belongs to the claimer until its lease
ends; whoever dies loses it, and the row is claimed again. Polling finds what a lost wake-up missed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Row,
    Table,
    Update,
    bindparam,
    delete,
    or_,
    select,
    update,
)

from fediverse.clock import HOUR, MINUTE, SECOND, Instant

LEASE = 30 * SECOND
POLL_SECONDS = 2.0


def claim(
    tx: Connection,
    table: Table,
    *,
    now: Instant,
    limit: int,
    where: Sequence[ColumnElement[bool]] = (),
    order_by: Sequence[ColumnElement[Any]] = (),
) -> Sequence[Row[Any]]:
    """At most ``limit`` due rows, leased to the caller for 30 s, in order.

    On PostgreSQL rows that another worker is claiming are passed over; on SQLite the transaction is the only writer.
    """
    free = or_(table.c.leased_until.is_(None), table.c.leased_until <= now)
    order = tuple(order_by) or (table.c.due_at, table.c.id)
    due = (
        select(table.c.id)
        .where(table.c.due_at <= now, free, *where)
        .order_by(*order)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = tx.execute(
        update(table)
        .where(table.c.id.in_(due))
        .values(leased_until=now + LEASE, attempts=table.c.attempts + 1)
        .returning(*table.c)
    ).all()
    return sorted(claimed, key=lambda row: (row.due_at, row.id))


def renew(tx: Connection, table: Table, ids: Sequence[int], *, now: Instant) -> None:
    """The leases of rows that take long are extended by another 30 s."""
    if ids:
        tx.execute(_renew(table), {"ids": list(ids), "until": now + LEASE})


def settle(tx: Connection, table: Table, ids: Sequence[int]) -> None:
    """The rows are done and gone."""
    if ids:
        tx.execute(_settle(table), {"ids": list(ids)})


@cache
def _renew(table: Table) -> Update:
    return update(table).where(table.c.id.in_(bindparam("ids", expanding=True))).values(leased_until=bindparam("until"))


@cache
def _settle(table: Table) -> Delete:
    return delete(table).where(table.c.id.in_(bindparam("ids", expanding=True)))


def postpone(tx: Connection, table: Table, id_: int, *, due_at: Instant, error: str | None) -> None:
    """The row is free again and due at ``due_at``."""
    tx.execute(
        update(table)
        .where(table.c.id == id_)
        .values(leased_until=None, due_at=due_at, last_error=error[:500] if error else None)
    )


def release(tx: Connection, table: Table, ids: Sequence[int]) -> None:
    """Leases are given back untried, as when a worker stops; the attempt does not count."""
    if ids:
        tx.execute(update(table).where(table.c.id.in_(ids)).values(leased_until=None, attempts=table.c.attempts - 1))


def drop_leases(tx: Connection, table: Table) -> None:
    """All leases are void: for a process that starts as the only one on its database."""
    tx.execute(update(table).where(table.c.leased_until.is_not(None)).values(leased_until=None))


_LOCAL_WAITS = (1 * SECOND, 5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 1 * HOUR)


def local_backoff(attempts: int) -> Instant | None:
    """How long to wait after that many tries of work that failed here; None: it is given up (after some 8 hours)."""
    if attempts > 12:
        return None
    wait = _LOCAL_WAITS[min(attempts, len(_LOCAL_WAITS)) - 1]
    return wait + random.randrange(wait // 2)  # noqa: S311 jitter, not a secret


async def sleep_until_woken(waker: asyncio.Event, *, seconds: float = POLL_SECONDS, keep: bool = False) -> None:
    """Returns when there may be work: at a wake-up, or after ``seconds`` at the latest.

    The wake-up is used up, unless ``keep`` says that others wait for it too.
    """
    try:
        async with asyncio.timeout(seconds):
            await waker.wait()
    except TimeoutError:
        return
    finally:
        if not keep:
            waker.clear()
