"""The deliveries: one row per activity and inbox until it is delivered. The only writer of that table.

A worker's turn is one transaction: what it has finished is settled, and new work is claimed. Work is claimed host by
host in rotation, a few rows each, by skipping through the index on (host, due_at): a host with a million rows waiting
costs the others nothing. Hosts whose circuit is open are passed over without looking at their rows.

Activities about one thing reach a host in order: a row waits while an older one with its object key and host exists.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    Connection,
    FromClause,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)

from fediverse import ids, moderation, queue
from fediverse.clock import DAY, Instant
from fediverse.db import Prepared, id_list
from fediverse.outbox.hosts import HostState
from fediverse.outbox.retry import PRIVATE_LIFETIME
from fediverse.tables.outbox import activities, deliveries, hosts

PER_HOST = 16
HOSTS_PER_STATEMENT = 64
HOSTS_PER_CLAIM = 1024
DEAD_KEPT: Instant = 30 * DAY
UNREACHABLE = "unreachable: "
#: How ``last_error`` of an inbox that is not there begins.
MISSING = "answered 404"
#: One 404 may be a mistake: this many, the first of them so long ago, are worth a look at who is behind the inbox.
MISSED_OFTEN = 3
MISSED_FOR: Instant = 3 * DAY
_HOUSEKEEPING = 1000

_ADD = Prepared(lambda insert: insert(deliveries).on_conflict_do_nothing(index_elements=["activity_id", "inbox"]))
_LEASE = Prepared(
    lambda sql: (
        update(deliveries)
        .where(sql.within(deliveries.c.id, "ids"))
        .values(leased_until=bindparam("until"), attempts=deliveries.c.attempts + 1)
    )
)
_POSTPONE = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("row_id"))
    .values(due_at=bindparam("due"), refusals=bindparam("refused"), last_error=bindparam("error"), leased_until=None)
)
_BURY = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("row_id"))
    .values(dead=True, leased_until=None, last_error=bindparam("error"))
)
_SENT: tuple[Any, ...] = (activities.c.id, activities.c.document, activities.c.created_at, activities.c.expires_at)
_DOCUMENTS = Prepared(lambda sql: select(*_SENT).where(sql.within(activities.c.id, "ids")))


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """An activity on its way to an inbox. ``priority`` 0 goes before 1 where both are due."""

    activity_id: int
    actor_id: int
    host: str
    inbox: str
    object_key: str
    priority: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that the worker holds. ``attempts`` counts this try."""

    id: int
    activity_id: int
    actor_id: int
    host: str
    inbox: str
    attempts: int
    refusals: int


@dataclass(frozen=True, slots=True)
class Postponed:
    """A row that is due again."""

    id: int
    due_at: Instant
    refusals: int
    error: str


@dataclass(slots=True)
class Found:
    """What a claim brought, and the host where the next one goes on.

    ``more``: there may be hosts after that one. ``cut``: of some host more is due than was taken.
    """

    rows: list[Claimed]
    states: dict[str, HostState]
    cursor: str
    more: bool
    cut: bool = False


def add(tx: Connection, rows: Sequence[NewDelivery], *, now: Instant) -> None:
    """The deliveries are due now; an inbox that already has this activity waiting keeps its one row."""
    if not rows:
        return
    tx.execute(
        _ADD(tx),
        [
            {
                "id": ids.new_id(),
                "activity_id": row.activity_id,
                "actor_id": row.actor_id,
                "host": row.host,
                "inbox": row.inbox,
                "object_key": row.object_key,
                "priority": row.priority,
                "due_at": now,
            }
            for row in rows
        ],
    )


def claim(
    tx: Connection,
    *,
    now: Instant,
    cursor: str,
    room: int,
    busy: Collection[str],
    allowed: Callable[[str, HostState], int],
) -> Found:
    """At most ``room`` due rows are leased to the caller, a few of each host, from the one after ``cursor`` on.

    ``busy`` hosts are passed over; ``allowed`` says how many rows of a host the caller takes. Rows of hosts that are
    blocked by now are dropped.
    """
    found = Found([], {}, cursor, more=True)
    visited = 0
    while found.more and len(found.rows) < room and visited < HOSTS_PER_CLAIM:
        _claim_some(tx, found, now=now, room=room, busy=busy, allowed=allowed)
        visited += HOSTS_PER_STATEMENT
    refused = moderation.blocked_among(tx, found.states)
    for host in refused:
        drop_host(tx, host)
    rows = [row for row in found.rows if row.host not in refused] if refused else found.rows
    if rows:
        tx.execute(_LEASE(tx), {"ids": id_list(tx, [row.id for row in rows]), "until": now + queue.LEASE})
    return replace(found, rows=rows)


def _claim_some(
    tx: Connection,
    found: Found,
    *,
    now: Instant,
    room: int,
    busy: Collection[str],
    allowed: Callable[[str, HostState], int],
) -> None:
    """``found`` has what the next few hosts give."""
    limit = room - len(found.rows)
    candidates = tx.execute(
        _candidates(tx.dialect.name),
        {"after": found.cursor, "now": now, "busy": list(busy) or [""], "limit": limit},
    ).all()
    left = hosts_seen = rows_seen = 0
    for candidate in candidates:
        host = candidate.host
        if host != found.cursor:
            found.cursor = host
            hosts_seen += 1
            left = rows_seen = 0
            if candidate.id is not None:  # something is due there
                found.states[host] = _state(candidate)
                left = allowed(host, found.states[host])
        rows_seen += candidate.id is not None
        found.cut = found.cut or rows_seen == PER_HOST or (left == 0 and candidate.id is not None)
        if left > 0:
            left -= 1
            found.rows.append(_claimed(candidate))
    # Otherwise the walk came to the last host.
    found.more = len(candidates) == limit or hosts_seen == HOSTS_PER_STATEMENT


def documents(tx: Connection, activity_ids: Iterable[int]) -> dict[int, Row[Any]]:
    """What is to be sent, by activity id: ``document``, ``created_at``, ``expires_at``."""
    wanted = list(activity_ids)
    if not wanted:
        return {}
    return {row.id: row for row in tx.execute(_DOCUMENTS(tx), {"ids": id_list(tx, wanted)})}


def postpone(tx: Connection, rows: Sequence[Postponed]) -> None:
    """The rows are free again, each due in its own time."""
    if rows:
        tx.execute(
            _POSTPONE,
            [{"row_id": r.id, "due": r.due_at, "refused": r.refusals, "error": r.error[:500]} for r in rows],
        )


def bury(tx: Connection, errors: dict[int, str]) -> None:
    """The rows are not tried again; they stay for a while, with the reason, for an admin to see and replay."""
    if errors:
        tx.execute(
            _BURY,
            [{"row_id": id_, "error": error[:500]} for id_, error in errors.items()],
        )


def long_missing(tx: Connection, inboxes: Mapping[str, str], *, now: Instant) -> list[str]:
    """Those of the inboxes (each with its host) that answered 404 several times, the first of these days ago."""
    times = (
        select(deliveries.c.inbox)
        .where(
            deliveries.c.dead,
            deliveries.c.host.in_(set(inboxes.values())),
            deliveries.c.inbox.in_(inboxes),
            deliveries.c.last_error.like(f"{MISSING}%"),
        )
        .group_by(deliveries.c.inbox)
        .having(func.count() >= MISSED_OFTEN, func.min(deliveries.c.activity_id) < ids.floor_id(now - MISSED_FOR))
    )
    return list(tx.scalars(times))


@dataclass(frozen=True, slots=True)
class Backlog:
    """What of a host's deliveries waits, what is dead, and why the latest of these died."""

    host: str
    waiting: int
    dead: int
    error: str


def backlogs(tx: Connection, host: str | None = None) -> list[Backlog]:
    """The hosts for which something waits or is dead, or just the one, by name."""
    given = [deliveries.c.host == host] if host is not None else []
    alive = func.sum(case((deliveries.c.dead, 0), else_=1))
    counted = (
        select(deliveries.c.host, alive.label("waiting"), func.count().label("all"))
        .where(*given)
        .group_by(deliveries.c.host)
        .order_by(deliveries.c.host)
    )
    latest = (
        select(deliveries.c.host, func.max(deliveries.c.id).label("id"))
        .where(deliveries.c.last_error.is_not(None), *given)
        .group_by(deliveries.c.host)
        .subquery()
    )
    errors: dict[str, str] = {
        row.host: row.last_error
        for row in tx.execute(
            select(latest.c.host, deliveries.c.last_error).join(deliveries, deliveries.c.id == latest.c.id)
        )
    }
    return [
        Backlog(row.host, int(row.waiting), row.all - int(row.waiting), errors.get(row.host, ""))
        for row in tx.execute(counted)
    ]


def replay(tx: Connection, host: str, *, now: Instant) -> int:
    """Dead deliveries to a host are tried again from the start; how many. Expired ones fail again at once."""
    return tx.execute(
        update(deliveries)
        .where(deliveries.c.host == host, deliveries.c.dead)
        .values(dead=False, attempts=0, refusals=0, due_at=now, last_error=None)
    ).rowcount


def hurry(tx: Connection, names: Sequence[str], *, now: Instant) -> None:
    """What waited because these hosts were not reached is due now: they are back."""
    if names:
        tx.execute(
            update(deliveries)
            .where(
                deliveries.c.host.in_(names),
                ~deliveries.c.dead,
                deliveries.c.due_at > now,
                deliveries.c.last_error.like(f"{UNREACHABLE}%"),
            )
            .values(due_at=now)
        )


def drop_host(tx: Connection, host: str) -> int:
    """Nothing waits for the host any more; how many rows went."""
    return tx.execute(delete(deliveries).where(deliveries.c.host == host)).rowcount


def purge(tx: Connection, *, now: Instant) -> int:
    """Rows that outlived every lifetime are gone, 1,000 at most; how many.

    Held ones after seven days (a circuit that never closed), dead ones after thirty.
    """
    held = and_(~deliveries.c.dead, deliveries.c.activity_id < ids.floor_id(now - PRIVATE_LIFETIME - DAY))
    dead = and_(deliveries.c.dead, deliveries.c.activity_id < ids.floor_id(now - DEAD_KEPT))
    old = select(deliveries.c.id).where(or_(held, dead)).limit(_HOUSEKEEPING)
    return tx.execute(delete(deliveries).where(deliveries.c.id.in_(old))).rowcount


def waiting(tx: Connection, *, now: Instant) -> tuple[int, Instant]:
    """How many deliveries wait, and for how many milliseconds the oldest of them has been due."""
    count, oldest = tx.execute(select(func.count(), func.min(deliveries.c.due_at)).where(~deliveries.c.dead)).one()
    return int(count), max(now - oldest, 0) if oldest is not None else 0


def _claimed(row: Row[Any]) -> Claimed:
    return Claimed(row.id, row.activity_id, row.actor_id, row.host, row.inbox, row.attempts + 1, row.refusals)


def _state(row: Row[Any]) -> HostState:
    if row.failures is None:
        return HostState()
    return HostState(dialect=row.dialect, failures=row.failures, opened=row.opened, last_success_at=row.last_success_at)


@cache
def _candidates(dialect: str) -> Select[Any]:
    """Due rows of each host in turn, as one statement.

    ``visited`` walks from host to host, one index seek each. Hosts with nothing due give a row of NULLs, so that the
    caller's cursor moves past them too. SQLite has no LATERAL; PostgreSQL would run the IN against every row.
    """
    visited = _visited()
    reachable = or_(hosts.c.open_until.is_(None), hosts.c.open_until <= bindparam("now"))
    wanted = and_(reachable, visited.c.host.not_in(bindparam("busy", expanding=True)))
    here = visited.outerjoin(hosts, hosts.c.host == visited.c.host)
    if dialect == "sqlite":
        row: FromClause = deliveries.alias("row")
        found = here.outerjoin(row, and_(wanted, row.c.id.in_(_due_rows(visited, only_ids=True).scalar_subquery())))
    else:
        row = _due_rows(visited, only_ids=False).with_for_update(skip_locked=True).lateral("row")
        found = here.outerjoin(row, wanted)
    columns = (row.c.id, row.c.activity_id, row.c.actor_id, row.c.inbox, row.c.attempts, row.c.refusals)
    state = (hosts.c.dialect, hosts.c.failures, hosts.c.opened, hosts.c.last_success_at)
    return (
        select(visited.c.host, *columns, *state)
        .select_from(found)
        .where(visited.c.host.is_not(None))
        .order_by(visited.c.n)
        .limit(bindparam("limit", type_=Integer))
    )


def _due_rows(visited: CTE, *, only_ids: bool) -> Select[Any]:
    """The first few due rows of the host that is visited, none of which would overtake an older one."""
    due = deliveries.alias("due")
    older = deliveries.alias("older")
    free = or_(due.c.leased_until.is_(None), due.c.leased_until <= bindparam("now"))
    overtakes = and_(
        due.c.object_key != "",
        exists().where(
            older.c.object_key == due.c.object_key,
            older.c.host == due.c.host,
            older.c.activity_id < due.c.activity_id,
            ~older.c.dead,
        ),
    )
    return (
        select(due.c.id if only_ids else due)
        .where(due.c.host == visited.c.host, ~due.c.dead, due.c.due_at <= bindparam("now"), free, ~overtakes)
        .order_by(due.c.due_at, due.c.priority, due.c.id)
        .limit(literal(PER_HOST))
        .correlate(visited)
    )


def _visited() -> CTE:
    start = deliveries.alias("start")
    step = deliveries.alias("step")
    first = select(func.min(start.c.host)).where(~start.c.dead, start.c.host > bindparam("after")).scalar_subquery()
    visited = select(first.label("host"), literal(1).label("n")).cte("visited", recursive=True)
    following = (
        select(func.min(step.c.host)).where(~step.c.dead, step.c.host > visited.c.host).correlate(visited)
    ).scalar_subquery()
    return visited.union_all(
        select(following, visited.c.n + 1).where(visited.c.host.is_not(None), visited.c.n < HOSTS_PER_STATEMENT)
    )
