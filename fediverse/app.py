"""The rooms joined: one application with its routes, resources and workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import version

from aiohttp import web
from sqlalchemy import Connection

from fediverse import api, caller, clock, door, instance, keys, middleware, operation, slowness, throttle, workers
from fediverse import web as pages
from fediverse.actors import directory
from fediverse.actors import routes as actor_routes
from fediverse.actors.discovery import Discovery
from fediverse.actors.signing import Keyring
from fediverse.counts import Counts
from fediverse.db import open_database
from fediverse.events import Hub
from fediverse.inbox import routes as inbox_routes
from fediverse.outbox import routes as outbox_routes
from fediverse.push import vapid
from fediverse.relay import Relay
from fediverse.remote import AddressGuard, Remote
from fediverse.settings import Settings
from fediverse.site import Site, proxy_key
from fediverse.slowness import PATIENCE, Patience

VERSION = version("fediverse")

# Larger than any picture that is taken; the inbox and the API have lower limits of their own.
MAX_BODY = 16 * 1024 * 1024


def create_app(settings: Settings, *, run_workers: bool = True, patience: Patience = PATIENCE) -> web.Application:
    """The application. Its database is expected to be migrated.

    ``run_workers=False`` leaves the queues to another process, or to a test that works them by hand. ``patience`` is
    how long bodies of requests are waited for.
    """
    outermost_first = [
        middleware.observe(),
        middleware.headers_of_text(),
        slowness.bodies_in_time(patience),
        middleware.only_our_hosts(settings),
        door.keep_out,
        *api.middlewares(),
        *throttle.throttle(settings),
    ]
    app = web.Application(middlewares=outermost_first, client_max_size=MAX_BODY)
    app.on_response_prepare.append(middleware.secure_streams)
    urls = settings.urls
    app[keys.SETTINGS] = settings
    app[keys.URLS] = urls
    app[keys.HUB] = Hub()
    app[door.DOOR] = door.Door()
    counts = Counts()
    app[keys.LIMITER] = throttle.limiter(counts)
    app[throttle.OWNERS] = throttle.owners()
    app[keys.SITE] = Site(urls, VERSION, proxy_key(settings.secret), settings.registrations)
    app[caller.TRUSTED] = caller.trusted_networks(settings)
    app.cleanup_ctx.append(_resources)
    if settings.redis_url:
        app.cleanup_ctx.append(partial(_relayed, counts))
    app.cleanup_ctx.append(workers.prepare)
    if run_workers:
        app.cleanup_ctx.append(workers.running)
    for room in (operation, actor_routes, inbox_routes, outbox_routes, api, pages):
        room.add_routes(app)
    return app


async def _resources(app: web.Application) -> AsyncIterator[None]:
    settings, urls = app[keys.SETTINGS], app[keys.URLS]
    async with AsyncExitStack() as stack:
        database = open_database(settings.database, app[keys.HUB].dispatch)
        stack.push_async_callback(database.close)
        app[keys.DATABASE] = database
        vapid_key = await database.write(_prepare, settings)
        app[keys.SITE] = replace(app[keys.SITE], vapid_key=vapid_key)
        app[keys.REMOTE] = remote = await stack.enter_async_context(
            Remote.open(
                guard=AddressGuard(settings.allowed_private_addresses),
                user_agent=f"fediverse/{VERSION} (+{urls.base_url}/)",
                ca_file=str(settings.ca_file) if settings.ca_file else None,
            )
        )
        app[keys.KEYRING] = Keyring(database, urls, settings.secret)
        app[keys.DISCOVERY] = Discovery(database, remote, urls, app[keys.KEYRING])
        yield


async def _relayed(counts: Counts, app: web.Application) -> AsyncIterator[None]:
    """What happens in one process is told to the others."""
    settings = app[keys.SETTINGS]
    app[keys.RELAY] = relay = Relay(
        settings.redis_url, settings.urls.domain, app[keys.HUB], counts, on_changes=app[keys.DATABASE].changed_elsewhere
    )
    task = asyncio.create_task(relay.run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _prepare(tx: Connection, settings: Settings) -> str:
    """What must be there before the first request: names that match what was federated, the instance actor, and the
    keys for web push, whose public one is returned."""
    instance.check_names(tx, settings.urls)
    if directory.ensure_instance_actor(tx, settings.urls, keys=None, secret=settings.secret, now=clock.now()) is None:
        made = directory.make_keys()
        directory.ensure_instance_actor(tx, settings.urls, keys=made, secret=settings.secret, now=clock.now())
    return vapid.ensure(tx, settings.secret)
