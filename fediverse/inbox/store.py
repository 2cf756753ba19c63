"""What came in, kept before it is answered. The only writer of ``received``.

A row is settled by its outcome and loses its body then; it stays for thirty days, so that what comes twice is known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, literal_column, select, update

from fediverse import events, ids, queue
from fediverse.clock import DAY, Instant
from fediverse.db import insert
from fediverse.documents import same_origin
from fediverse.inbox.activity import Outcome
from fediverse.tables.inbox import received

KEEP: Instant = 30 * DAY
_PURGE = 1000

# Their effect is idempotent by its own table, and some servers use an id again: a Follow after an Undo is a new one.
_REPEATABLE = ("Follow", "Like", "EmojiReact", "Announce", "Block", "Undo", "Accept", "Reject", "Add", "Remove")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A verified activity that is about to be stored."""

    signer_id: int
    activity_key: str
    type: str
    body: bytes


def activity_key(activity_id: str | None, signer_uri: str, body: bytes) -> str:
    """What an activity is known by when it comes again: its id when that is of the signer's origin, else its bytes.

    Nobody can thus use up another server's ids.
    """
    return activity_id if activity_id is not None and same_origin(activity_id, signer_uri) else _digest(body)


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def add(tx: Connection, incoming: Sequence[Incoming], *, now: Instant) -> None:
    """The activities are stored, pending; those that were stored before are not stored again."""
    statement = insert(tx, received)
    # Literals, since an expanding parameter cannot be used with many rows at once.
    repeatable = received.c.type.in_([literal_column(f"'{kind}'") for kind in _REPEATABLE])
    statement = statement.on_conflict_do_update(
        index_elements=["signer_id", "activity_key"],
        set_={
            "body": statement.excluded.body,
            "outcome": None,
            "due_at": statement.excluded.due_at,
            "received_at": statement.excluded.received_at,
            "attempts": 0,
        },
        where=and_(received.c.outcome.is_not(None), repeatable),
    )
    rows = [
        {
            "id": ids.new_id(),
            "signer_id": one.signer_id,
            "activity_key": one.activity_key,
            "type": one.type,
            "body": one.body,
            "received_at": now,
            "due_at": now,
        }
        for one in incoming
    ]
    tx.execute(statement, rows)
    events.after_commit(tx, events.Woken("received"))


def claim(tx: Connection, *, now: Instant, limit: int, busy: Collection[int]) -> Sequence[Row[Any]]:
    """At most ``limit`` pending activities, the oldest first, leased; none of the signers who are ``busy``."""
    where = [received.c.outcome.is_(None)]
    if busy:
        where.append(received.c.signer_id.not_in(busy))
    return queue.claim(tx, received, now=now, limit=limit, where=where)


def settle(tx: Connection, row_ids: Sequence[int], *, outcome: Outcome, error: str | None = None) -> None:
    """The activities are done with and their bodies dropped."""
    if row_ids:
        tx.execute(
            update(received)
            .where(received.c.id.in_(row_ids))
            .values(outcome=outcome, body=None, leased_until=None, last_error=error[:500] if error else None)
        )


def postpone(tx: Connection, row: Row[Any], *, error: str, now: Instant) -> Outcome | None:
    """The activity is tried again later, or has failed for good; the outcome in that case."""
    wait = queue.local_backoff(row.attempts)
    if wait is None:
        settle(tx, [row.id], outcome="failed", error=error)
        return "failed"
    queue.postpone(tx, received, row.id, due_at=now + wait, error=error)
    return None


def release(tx: Connection, row_ids: Sequence[int]) -> None:
    """The activities are pending again, as if they had not been claimed."""
    queue.release(tx, received, row_ids)


def renew(tx: Connection, row_ids: Sequence[int], *, now: Instant) -> None:
    """The activities stay with their holder for another 30 s."""
    queue.renew(tx, received, row_ids, now=now)


def drop_leases(tx: Connection) -> None:
    """All leases are void: for a process that starts as the only one on its database."""
    queue.drop_leases(tx, received)


def depth(tx: Connection) -> tuple[int, Instant | None]:
    """How many activities are pending, and since when the oldest of them is here."""
    row = tx.execute(select(func.count(), func.min(received.c.received_at)).where(received.c.outcome.is_(None))).one()
    return row[0], row[1]


def purge(tx: Connection, *, now: Instant) -> int:
    """Settled activities older than 30 days are forgotten (1,000 at most); how many."""
    old = (
        select(received.c.id)
        .where(received.c.received_at < now - KEEP, received.c.outcome.is_not(None))
        .order_by(received.c.received_at)
        .limit(_PURGE)
    )
    return tx.execute(delete(received).where(received.c.id.in_(old))).rowcount


def defer(tx: Connection, row_ids: Sequence[int], *, due_at: Instant) -> None:
    """The activities are pending again, from ``due_at`` on, as if they had not been claimed."""
    tx.execute(
        update(received)
        .where(received.c.id.in_(row_ids))
        .values(leased_until=None, due_at=due_at, attempts=received.c.attempts - 1)
    )
