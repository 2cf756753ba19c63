"""What those who run the instance look at: is it alive, is it ready, what are its figures."""

from __future__ import annotations

import hmac
import ipaddress

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from sqlalchemy import Connection, text

from fediverse import clock, keys, metrics
from fediverse.errors import Forbidden, Unavailable

# Set when a stop was asked for: the load balancer sends nobody any more while what runs is finished.
DRAINING: web.AppKey[list[bool]] = web.AppKey("draining")


def add_routes(app: web.Application) -> None:
    """Adds /healthz, /readyz and /metrics."""
    app[DRAINING] = []
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", show_metrics)


async def healthz(_request: web.Request) -> web.Response:
    """The process answers."""
    return web.Response(text="ok\n")


async def readyz(request: web.Request) -> web.Response:
    """The process can serve: the database answers, and no stop was asked for."""
    if request.app[DRAINING]:
        raise Unavailable("This server is stopping.")
    await request.app[keys.DATABASE].read(_ping)
    return web.Response(text="ready\n")


async def show_metrics(request: web.Request) -> web.Response:
    """The figures, for this machine or whoever has the token."""
    if not _may_read_metrics(request):
        raise Forbidden("Metrics are for this machine, or for the bearer of FEDIVERSE_METRICS_TOKEN.")
    await request.app[keys.DATABASE].read(metrics.measure_queues, now=clock.now())
    return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _may_read_metrics(request: web.Request) -> bool:
    token = request.app[keys.SETTINGS].metrics_token
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and hmac.compare_digest(given.encode(), token.encode()):
        return True
    # Whatever a proxy forwarded did not come from this machine.
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    try:
        return not forwarded and ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


def _ping(tx: Connection) -> None:
    tx.execute(text("SELECT 1"))
