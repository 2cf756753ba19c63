"""What a worker has finished and not yet written down: settled in one transaction, by the hundred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection, exists, or_, select

from fediverse import clock, jobs, queue
from fediverse.clock import DAY, Instant
from fediverse.outbox import deliveries, hosts
from fediverse.outbox.deliveries import Postponed
from fediverse.outbox.hosts import HostState, Report
from fediverse.outbox.retry import Step
from fediverse.outbox.sending import Sent
from fediverse.tables.actors import actors, follows
from fediverse.tables.outbox import deliveries as table

log = structlog.get_logger(__name__)

CHECK_ACTOR = "actors.refresh"
"""The job of ``actors.discovery`` that fetches an actor anew, and wipes it here where its server says 410."""

SETTLE_ROWS = 256
_CHECKED = 20


@dataclass(slots=True)
class Ledger:
    """Results by row id. ``released`` were not tried; ``gone`` are inboxes that answered 410, ``missing`` 404."""

    done: list[int] = field(default_factory=list)
    later: list[Postponed] = field(default_factory=list)
    dead: dict[int, str] = field(default_factory=dict)
    released: list[int] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)  # the host, by inbox
    reports: list[Report] = field(default_factory=list)
    _last: dict[str, Report] = field(default_factory=dict)

    def enter(self, sent: Sent) -> None:
        """What came of a try is to be written down."""
        row, decision = sent.job.row, sent.decision
        if not sent.hopeless:
            self._report(Report(row.host, answered=not sent.failed, dialect=sent.dialect))
        if decision.step is Step.DONE:
            self.done.append(row.id)
            return
        if decision.step is Step.LATER:
            due_at = clock.now() + decision.wait
            self.later.append(Postponed(row.id, due_at, row.refusals + decision.refused, sent.error))
        else:
            self.dead[row.id] = sent.error
            if decision.gone:
                self.gone.append(row.inbox)
            if decision.missing:
                self.missing[row.inbox] = row.host
        log.info("delivery.failed", inbox=row.inbox, attempts=row.attempts, step=decision.step.value, error=sent.error)

    def _report(self, report: Report) -> None:
        """Of answers in a row one is kept: the later ones tell nothing new."""
        if report.answered and self._last.get(report.host) == report:
            return
        self._last[report.host] = report
        self.reports.append(report)

    def outcomes(self) -> dict[str, int]:
        """How many deliveries ended how, for the metrics."""
        return {"delivered": len(self.done), "retried": len(self.later), "failed": len(self.dead)}

    @property
    def size(self) -> int:
        """How many rows wait to be settled."""
        return len(self.done) + len(self.later) + len(self.dead) + len(self.released)

    @property
    def can_wait(self) -> bool:
        """Whether it holds successes alone, and few: a failure must be known before more is claimed of its host."""
        return len(self.done) == self.size < SETTLE_ROWS

    def merge(self, later: Ledger) -> None:
        """What ``later`` holds comes after what this one holds: for a ledger that could not be written."""
        self.done += later.done
        self.later += later.later
        self.dead |= later.dead
        self.released += later.released
        self.gone += later.gone
        self.missing |= later.missing
        self.reports += later.reports
        self._last |= later._last


def settle(tx: Connection, ledger: Ledger, *, now: Instant) -> dict[str, HostState]:
    """Everything in the ledger is written down; the new states of the hosts it names."""
    queue.settle(tx, table, ledger.done)
    deliveries.postpone(tx, ledger.later)
    deliveries.bury(tx, ledger.dead)
    queue.release(tx, table, ledger.released)
    states, closed = hosts.record(tx, ledger.reports, now=now)
    deliveries.hurry(tx, closed, now=now)
    if ledger.gone:
        _check_actors(tx, ledger.gone)
    if ledger.missing:
        inboxes = deliveries.long_missing(tx, ledger.missing, now=now)
        if inboxes:
            _check_actors(tx, inboxes, unless_seen_since=now - DAY)
    return states


def _check_actors(tx: Connection, inboxes: Sequence[str], *, unless_seen_since: Instant | None = None) -> None:
    """Those behind inboxes that are gone are looked up once more: whose document is gone too is forgotten.

    An inbox that is shared stands for its server; a few of its actors at a time are enough, since each later delivery
    there asks for more. With ``unless_seen_since`` the inboxes are but missing: of whom the same is true, the follows
    end, and who was looked at since then is not looked at again.
    """
    behind = or_(actors.c.inbox.in_(inboxes), actors.c.shared_inbox.in_(inboxes))
    found = select(actors.c.id).where(behind, actors.c.host != "", actors.c.deleted_at.is_(None))
    missing = unless_seen_since is not None
    if missing:
        found = found.where(
            or_(actors.c.fetched_at.is_(None), actors.c.fetched_at < unless_seen_since),
            exists().where(follows.c.follower_id == actors.c.id),
        )
    kind = "missing" if missing else "gone"
    for actor_id in tx.scalars(found.limit(_CHECKED)).all():
        payload = {"actor_id": actor_id, "now": True, "missing": missing}
        jobs.enqueue(tx, CHECK_ACTOR, payload, unique_key=f"{kind} {actor_id}")
