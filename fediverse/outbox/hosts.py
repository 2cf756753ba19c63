"""What is known of other servers as receivers: whether they answer, and which signature dialect they want.

Each host has a circuit. Five failures in a row within ten minutes open it: nothing is sent, and what is held does not
burn its tries. When its time is over one probe is sent; any answer closes it, a failure opens it for twice as long.
A host that failed on seven different days is dead: nothing public is written for it any more, but one probe a day.

This module is the only writer of ``hosts``. Hosts that work have at most one row here and one write a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, or_, select, update
from sqlalchemy.dialects import postgresql

from fediverse import clock, events
from fediverse.clock import DAY, HOUR, MINUTE, SECOND, Instant
from fediverse.db import Prepared
from fediverse.tables.outbox import hosts

FAILURES_TO_OPEN = 5
FAILURE_WINDOW: Instant = 10 * MINUTE
FIRST_OPEN: Instant = 15 * SECOND
LONGEST_OPEN: Instant = 6 * HOUR
DEAD_OPEN: Instant = DAY
DAYS_TO_DEATH = 7
_FORGET_AFTER: Instant = 90 * DAY
_COLUMNS = (
    hosts.c.dialect,
    hosts.c.failures,
    hosts.c.first_failure_at,
    hosts.c.open_until,
    hosts.c.opened,
    hosts.c.failing_days,
    hosts.c.last_failing_day,
    hosts.c.last_success_at,
    hosts.c.dead_since,
)
_NAMED = hosts.c.host.in_(bindparam("names", expanding=True))
_LOAD = select(hosts.c.host, *_COLUMNS).where(_NAMED)
_DEAD = select(hosts.c.host).where(_NAMED, hosts.c.dead_since.is_not(None), hosts.c.open_until > bindparam("now"))


def _build_store(insert: Callable[[Table], postgresql.Insert]) -> postgresql.Insert:
    statement = insert(hosts)
    new = {column.name: statement.excluded[column.name] for column in _COLUMNS}
    return statement.on_conflict_do_update(index_elements=["host"], set_=new)


_STORE = Prepared(_build_store)


@dataclass(frozen=True, slots=True)
class HostState:
    """One host's row. ``opened`` counts how often in a row the circuit opened; 0 means that it is closed."""

    dialect: str = ""
    failures: int = 0
    first_failure_at: Instant | None = None
    open_until: Instant | None = None
    opened: int = 0
    failing_days: int = 0
    last_failing_day: str | None = None
    last_success_at: Instant | None = None
    dead_since: Instant | None = None

    @property
    def is_half_open(self) -> bool:
        """Whether only a probe may be sent, its time having come. (Open ones are not asked for.)"""
        return self.opened > 0

    @property
    def is_proven(self) -> bool:
        """Whether it answered when last asked."""
        return self.failures == 0 and self.opened == 0 and self.last_success_at is not None


UNKNOWN = HostState()


@dataclass(frozen=True, slots=True)
class Report:
    """What a try told about a host; ``dialect`` is set when a signature in it was accepted."""

    host: str
    answered: bool
    dialect: str = ""


def after_answer(state: HostState, now: Instant, dialect: str = "") -> HostState:
    """The host answered: its circuit is closed and its failures are forgotten."""
    return HostState(dialect=dialect or state.dialect, last_success_at=now)


def after_failure(state: HostState, now: Instant) -> HostState:
    """The host gave no answer, or 5xx: its circuit opens at the fifth time in a row, and at every failed probe."""
    if state.opened and state.open_until is not None and now < state.open_until:
        return state  # was under way when the circuit opened: says nothing new
    day = clock.rfc3339(now)[:10]
    first = state.first_failure_at
    in_window = first is not None and now - first <= FAILURE_WINDOW
    state = replace(
        state,
        failures=state.failures + 1 if in_window else 1,
        first_failure_at=first if in_window else now,
        failing_days=state.failing_days + (day != state.last_failing_day),
        last_failing_day=day,
    )
    if state.failing_days >= DAYS_TO_DEATH:
        state = replace(state, dead_since=state.dead_since or now)
    if not state.opened and state.failures < FAILURES_TO_OPEN:
        return state
    lasts = DEAD_OPEN if state.dead_since else min(FIRST_OPEN << min(state.opened, 30), LONGEST_OPEN)
    return replace(state, opened=state.opened + 1, open_until=now + lasts)


def load(tx: Connection, names: Iterable[str]) -> dict[str, HostState]:
    """What is known of these hosts; those of which nothing is known are left out."""
    wanted = list(names)
    if not wanted:
        return {}
    rows: Iterable[Sequence[Any]] = tx.execute(_LOAD, {"names": wanted})
    return {row[0]: HostState(*row[1:]) for row in rows}


def record(tx: Connection, reports: Sequence[Report], *, now: Instant) -> tuple[dict[str, HostState], list[str]]:
    """The circuits follow the reports, in their order.

    Returns the new states of the hosts named, and those whose circuit this closed: what waited for them can go.
    """
    if not reports:
        return {}, []
    before = load(tx, {report.host for report in reports})
    after = dict(before)
    for report in reports:
        state = after.get(report.host, UNKNOWN)
        after[report.host] = after_answer(state, now, report.dialect) if report.answered else after_failure(state, now)
    changed = [
        # In one order everywhere: two processes that settle at once must not wait for each other.
        {"host": host, **asdict(state)}
        for host, state in sorted(after.items())
        if _matters(before.get(host), state, now)
    ]
    if changed:
        tx.execute(_STORE(tx), changed)
    closed = [host for host, state in after.items() if not state.opened and before.get(host, UNKNOWN).opened]
    return after, closed


def heard_from(tx: Connection, host: str, *, now: Instant) -> None:
    """A probe is sent soon if the circuit of ``host`` is open: a signed request came from there.

    Only a probe: that it can reach us does not say that we can reach it.
    """
    probed = tx.execute(
        update(hosts).where(hosts.c.host == host, hosts.c.open_until > now).values(open_until=now)
    ).rowcount
    if probed:
        events.after_commit(tx, events.Woken("deliveries"))


def dead(tx: Connection, names: Iterable[str], *, now: Instant) -> frozenset[str]:
    """Those of the hosts that get nothing public now: dead, and their daily probe is not due."""
    wanted = list(names)
    if not wanted:
        return frozenset()
    return frozenset(tx.scalars(_DEAD, {"names": wanted, "now": now}))


def forget(tx: Connection, *, now: Instant) -> int:
    """Hosts that nothing was sent to for three months have no row any more; how many those were."""
    quiet = now - _FORGET_AFTER
    return tx.execute(
        delete(hosts).where(
            or_(hosts.c.last_success_at < quiet, hosts.c.last_success_at.is_(None)),
            or_(hosts.c.first_failure_at < quiet, hosts.c.first_failure_at.is_(None)),
        )
    ).rowcount


def _matters(before: HostState | None, after: HostState, now: Instant) -> bool:
    """Whether the change must be stored: a success of a host that works, only once a day."""
    if before is None:
        return True
    if before.last_success_at is not None and now - before.last_success_at < DAY:
        return replace(after, last_success_at=before.last_success_at) != before
    return after != before
