"""The instance itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import clock, entities, instance, keys, usage
from fediverse.actors import directory
from fediverse.api import respond
from fediverse.clock import SECOND, Instant
from fediverse.entities import InstanceFacts
from fediverse.site import Site
from fediverse.usage import Usage

routes = web.RouteTableDef()

_COUNTED_FOR: Final = 30 * SECOND
_PUBLIC: Final = {"Cache-Control": "public, max-age=30"}


class _Counted:
    """The last counts and when they were made: whoever asks again soon costs nothing."""

    def __init__(self) -> None:
        self._at: Instant = 0
        self._usage: Usage | None = None

    def get(self, tx: Connection, now: Instant) -> Usage:
        """Counts that are at most half a minute old."""
        if self._usage is None or now >= self._at + _COUNTED_FOR:
            self._usage = usage.measure(tx, now=now)
            self._at = now
        return self._usage


_COUNTS: web.AppKey[_Counted] = web.AppKey("instance_counts")


def prepare(app: web.Application) -> None:
    """Counts are kept per application."""
    app[_COUNTS] = _Counted()


async def _show(request: web.Request, shape: Callable[[InstanceFacts, Site], Any]) -> web.Response:
    site, counted, now = request.app[keys.SITE], request.app[_COUNTS], clock.now()

    def work(tx: Connection) -> Any:
        info = instance.get(tx)
        counts = counted.get(tx, now)
        contact = directory.by_id(tx, info.contact_actor_id) if info.contact_actor_id is not None else None
        facts = InstanceFacts(
            title=info.name,
            description=info.description,
            contact_email=info.contact_email,
            rules=info.rules,
            thumbnail=site.urls.media(info.logo) if info.logo else site.static("header.png"),
            contact=contact if contact is not None and contact.deleted_at is None else None,
            users=counts.users,
            active_month=counts.active_month,
            statuses=counts.statuses,
            domains=counts.domains,
        )
        return shape(facts, site)

    return respond.json(await request.app[keys.DATABASE].read(work), headers=dict(_PUBLIC))


@routes.get("/api/v2/instance")
async def v2(request: web.Request) -> web.Response:
    """What the instance is, and what it takes."""
    return await _show(request, entities.instance_v2)


@routes.get("/api/v1/instance")
async def v1(request: web.Request) -> web.Response:
    """The same in the older shape."""
    return await _show(request, entities.instance_v1)


@routes.get("/api/v1/instance/rules")
async def rules(request: web.Request) -> web.Response:
    """The rules of the house."""
    return await _show(request, lambda facts, _site: entities.instance_rules(facts.rules))


@routes.get("/api/v1/custom_emojis")
async def custom_emojis(_request: web.Request) -> web.Response:
    """This server has no emoji of its own, and says so: clients ask for them when somebody signs in."""
    return respond.json([], headers=dict(_PUBLIC))
