"""The instance itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import clock, emojis, entities, instance, keys, media, reactions, usage
from fediverse.actors import directory, profile
from fediverse.actors.nodeinfo import Census
from fediverse.api import respond
from fediverse.clock import SECOND, Instant
from fediverse.entities import InstanceFacts, Limits
from fediverse.site import Site

routes = web.RouteTableDef()

_COUNTED_FOR: Final = 30 * SECOND
_LIMITS: Final = Limits(
    pins=reactions.PINS_AT_MOST,
    name=profile.MAX_NAME,
    note=profile.MAX_BIO,
    fields=profile.MAX_FIELDS,
    field=profile.MAX_FIELD,
    description=profile.MAX_DESCRIPTION,
)
_PUBLIC: Final = {"Cache-Control": "public, max-age=30"}


class _Hosts:
    """The last count of known servers and when it was made: whoever asks again soon costs nothing."""

    def __init__(self) -> None:
        self._at: Instant = 0
        self._count = 0

    def count(self, tx: Connection, now: Instant) -> int:
        """A count that is at most half a minute old."""
        if now >= self._at + _COUNTED_FOR:
            self._count = usage.known_hosts(tx)
            self._at = now
        return self._count


_HOSTS: web.AppKey[_Hosts] = web.AppKey("known_hosts")
_CENSUS: web.AppKey[Census] = web.AppKey("instance_census")


async def means(app: web.Application) -> AsyncIterator[None]:
    """Counts are kept per application."""
    app[_HOSTS] = _Hosts()
    app[_CENSUS] = Census(app[keys.DATABASE])
    yield


async def _show(request: web.Request, shape: Callable[[InstanceFacts, Site], Any]) -> web.Response:
    site, hosts, now = request.app[keys.SITE], request.app[_HOSTS], clock.now()
    counts = await request.app[_CENSUS].counts(now=now)

    def work(tx: Connection) -> Any:
        info = instance.get(tx)
        contact = directory.by_id(tx, info.contact_actor_id) if info.contact_actor_id is not None else None
        facts = InstanceFacts(
            title=info.name,
            description=info.description,
            contact_email=info.contact_email,
            rules=info.rules,
            languages=info.languages,
            thumbnail=site.urls.media(info.logo) if info.logo else site.static("header.png"),
            limits=_LIMITS,
            contact=contact if contact is not None and contact.deleted_at is None else None,
            users=counts.users,
            active_month=counts.active_month,
            statuses=counts.posts,
            domains=hosts.count(tx, now),
            has_privacy_policy=bool(instance.texts(tx, "privacy_policy")),
            has_terms=bool(instance.texts(tx, "terms_of_service")),
            icon=_icon(tx, site, info.logo),
        )
        return shape(facts, site)

    return respond.json(await request.app[keys.DATABASE].read(work), headers=dict(_PUBLIC))


def _icon(tx: Connection, site: Site, logo: str | None) -> tuple[str, str] | None:
    picture = media.find(tx, logo) if logo else None
    return (site.urls.media(picture.storage_key), f"{picture.width}x{picture.height}") if picture is not None else None


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
async def custom_emojis(request: web.Request) -> web.Response:
    """The emoji that are this server's own."""
    site = request.app[keys.SITE]
    rows = await request.app[keys.DATABASE].read(emojis.everything)
    return respond.json([entities.custom_emoji(row, site) for row in rows], headers=dict(_PUBLIC))
