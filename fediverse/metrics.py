"""The figures of this process, in Prometheus's format. What stands in queues is counted when it is asked for."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy import Connection, func, select

from fediverse.clock import Instant
from fediverse.tables.inbox import received
from fediverse.tables.instance import jobs
from fediverse.tables.outbox import deliveries, fanouts, hosts

REQUESTS = Histogram(
    "fediverse_request_seconds",
    "Time to answer, by method, route and class of status.",
    ("method", "route", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
INBOX = Counter("fediverse_inbox_total", "Activities received, by outcome and reason.", ("outcome", "reason"))
APPLIED = Counter("fediverse_activities_total", "Activities applied, by type and outcome.", ("type", "outcome"))
DELIVERIES = Counter("fediverse_deliveries_total", "Delivery attempts, by outcome.", ("outcome",))
STREAMS = Gauge("fediverse_streams", "Streaming connections that are open.")
STREAMED = Counter("fediverse_streamed_total", "Events written to streaming connections.")
STREAMS_DROPPED = Counter("fediverse_streams_dropped_total", "Streaming connections that read too slowly.")
QUEUE_DEPTH = Gauge("fediverse_queue_depth", "Rows waiting.", ("queue",))
QUEUE_AGE = Gauge("fediverse_queue_age_seconds", "How long the oldest due row has been due.", ("queue",))
DEAD_DELIVERIES = Gauge("fediverse_dead_deliveries", "Deliveries that were given up.")
OPEN_CIRCUITS = Gauge("fediverse_open_circuits", "Hosts that nothing is sent to for now.")


def measure_queues(tx: Connection, *, now: Instant) -> None:
    """The gauges say what stands in the queues now."""
    pending = {
        "received": (received, received.c.outcome.is_(None)),
        "fanouts": (fanouts, fanouts.c.due_at.is_not(None)),
        "deliveries": (deliveries, ~deliveries.c.dead),
        "jobs": (jobs, jobs.c.due_at.is_not(None)),
    }
    for name, (table, waiting) in pending.items():
        depth, oldest = tx.execute(select(func.count(), func.min(table.c.due_at)).where(waiting)).one()
        QUEUE_DEPTH.labels(name).set(depth)
        QUEUE_AGE.labels(name).set(max(0, now - oldest) / 1000 if oldest is not None else 0)
    DEAD_DELIVERIES.set(tx.scalar(select(func.count()).where(deliveries.c.dead)) or 0)
    OPEN_CIRCUITS.set(tx.scalar(select(func.count()).where(hosts.c.open_until > now)) or 0)
