"""What a worker has finished and not yet written down: settled in one transaction, by the hundred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection, or_, select

from fediverse import clock, jobs, queue
from fediverse.clock import Instant
from fediverse.outbox import deliveries, hosts
from fediverse.outbox.deliveries import Postponed
from fediverse.outbox.hosts import HostState, Report
from fediverse.outbox.retry import Step
from fediverse.outbox.sending import Sent
from fediverse.tables.actors import actors
from fediverse.tables.outbox import deliveries as table

log = structlog.get_logger(__name__)

CHECK_ACTOR = "actors.refresh"
"""The job of ``actors.discovery`` that fetches an actor anew, and wipes it here where its server says 410."""

SETTLE_ROWS = 256
_CHECKED = 20


@dataclass(slots=True)
class Ledger:
    """Results by row id. ``released`` were not tried; ``gone`` are inboxes that answered 410."""

    done: list[int] = field(default_factory=list)
    later: list[Postponed] = field(default_factory=list)
    dead: dict[int, str] = field(default_factory=dict)
    released: list[int] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
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
    return states


def _check_actors(tx: Connection, inboxes: Sequence[str]) -> None:
    """Those behind inboxes that are gone are looked up once more: whose document is gone too is forgotten.

    An inbox that is shared stands for its server; a few of its actors at a time are enough, since each later delivery
    there asks for more.
    """
    behind = or_(actors.c.inbox.in_(inboxes), actors.c.shared_inbox.in_(inboxes))
    found = select(actors.c.id).where(behind, actors.c.host != "", actors.c.deleted_at.is_(None)).limit(_CHECKED)
    for actor_id in tx.scalars(found).all():
        jobs.enqueue(tx, CHECK_ACTOR, {"actor_id": actor_id, "now": True}, unique_key=f"gone {actor_id}")
