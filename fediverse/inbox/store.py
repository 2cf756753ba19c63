"""What came in, kept before it is answered. The only writer of ``received``.

A row is settled by its outcome and loses its body then; it stays for thirty days, so that what comes twice is known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.dml import ReturningUpdate

from fediverse import events, ids, queue
from fediverse.clock import DAY, Instant
from fediverse.db import Prepared
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


def _build_add(insert: Callable[[Table], postgresql.Insert]) -> postgresql.Insert:
    statement = insert(received)
    # Literals, since an expanding parameter cannot be used with many rows at once.
    repeatable = received.c.type.in_([literal_column(f"'{kind}'") for kind in _REPEATABLE])
    return statement.on_conflict_do_update(
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


_ADD = Prepared(_build_add)


def add(tx: Connection, incoming: Sequence[Incoming], *, now: Instant) -> None:
    """The activities are stored, pending; those that were stored before are not stored again."""
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
    tx.execute(_ADD(tx), rows)
    events.after_commit(tx, events.Woken("received"))


def _build_claim() -> ReturningUpdate[Any]:
    """As ``queue.claim``, made once: it runs for every handful of activities.

    None of a signer of whom another worker holds some: what one signer sends is applied in the order it came.
    """
    other = received.alias("other")
    held = exists().where(other.c.signer_id == received.c.signer_id, other.c.leased_until > bindparam("now"))
    due = (
        select(received.c.id)
        .where(
            received.c.outcome.is_(None),
            received.c.due_at <= bindparam("now"),
            or_(received.c.leased_until.is_(None), received.c.leased_until <= bindparam("now")),
            received.c.signer_id.not_in(bindparam("busy", expanding=True)),
            ~held,
        )
        .order_by(received.c.due_at, received.c.id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )
    return (
        update(received)
        .where(received.c.id.in_(due))
        .values(leased_until=bindparam("until"), attempts=received.c.attempts + 1)
        .returning(*received.c)
    )


_CLAIM = _build_claim()
_ONE_AT_A_TIME = select(func.pg_advisory_xact_lock(bindparam("lock", type_=BigInteger)))
_CLAIMING = 0x66656470


def claim(tx: Connection, *, now: Instant, limit: int, busy: Collection[int]) -> Sequence[Row[Any]]:
    """At most ``limit`` pending activities, the oldest first, leased; none of the signers who are ``busy``."""
    if tx.dialect.name == "postgresql":
        # Two that claim at once would not see each other's leases.
        tx.execute(_ONE_AT_A_TIME, {"lock": _CLAIMING})
    values = {"now": now, "until": now + queue.LEASE, "busy": list(busy), "most": limit}
    return sorted(tx.execute(_CLAIM, values).all(), key=lambda row: (row.due_at, row.id))


_SETTLE = (
    update(received)
    .where(received.c.id.in_(bindparam("ids", expanding=True)))
    .values(outcome=bindparam("result"), body=None, leased_until=None, last_error=bindparam("error"))
)


_PENDING = (
    select(received.c.id)
    .where(received.c.id.in_(bindparam("ids", expanding=True)), received.c.outcome.is_(None))
    .order_by(received.c.id)
    .with_for_update()
)


def pending(tx: Connection, row_ids: Sequence[int]) -> frozenset[int]:
    """Those of the activities that nobody else has settled, kept from others until ``tx`` ends.

    Whoever was held up for longer than a lease may find that another process has done the work. On SQLite there is
    no other.
    """
    if tx.dialect.name == "sqlite" or not row_ids:
        return frozenset(row_ids)
    return frozenset(tx.scalars(_PENDING, {"ids": list(row_ids)}))


def settle(tx: Connection, row_ids: Sequence[int], *, outcome: Outcome, error: str | None = None) -> None:
    """The activities are done with and their bodies dropped."""
    if row_ids:
        tx.execute(_SETTLE, {"ids": list(row_ids), "result": outcome, "error": error[:500] if error else None})


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
