"""Notifications, and the markers of how far one has read."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import entities, loading, notifications, params
from fediverse.api import respond
from fediverse.api.paging import NOTIFICATIONS, page_of
from fediverse.api.respond import NOT_FOUND, Call, Listing, path_id
from fediverse.errors import NotFound
from fediverse.params import query

routes = web.RouteTableDef()
_TIMELINES: Final = ("home", "notifications")
_UNREAD: Final = (100, 1000)


@routes.get("/api/v1/notifications")
async def index(request: web.Request) -> web.Response:
    """What the actor was told, of all or some types, from all or one account."""
    asked = query(request)
    page = page_of(asked, NOTIFICATIONS)
    types, exclude = asked.words("types"), asked.words("exclude_types")
    from_id = asked.id("account_id")

    def work(tx: Connection, call: Call) -> Listing:
        rows = notifications.page(tx, call.actor_id, page, kinds=types, exclude=exclude, from_id=from_id)
        views = loading.notifications(tx, rows, call.actor_id)
        return Listing(
            [entities.notification(view, call.site, call.actor_id) for view in views], [row.id for row in rows]
        )

    return await respond.read(request, work, scope="read:notifications")


@routes.get("/api/v1/notifications/unread_count")
async def unread_count(request: web.Request) -> web.Response:
    """How many notifications are newer than the marker."""
    limit = query(request).integer("limit", _UNREAD[0], low=1, high=_UNREAD[1])

    def work(tx: Connection, call: Call) -> dict[str, int]:
        return {"count": notifications.unread_count(tx, call.actor_id, limit=limit)}

    return await respond.read(request, work, scope="read:notifications")


@routes.get("/api/v1/notifications/{id}")
async def show(request: web.Request) -> web.Response:
    """One of the actor's own notifications."""
    notification_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        row = notifications.get(tx, call.actor_id, notification_id)
        views = loading.notifications(tx, [row], call.actor_id) if row is not None else []
        if not views:
            raise NotFound(NOT_FOUND)
        return entities.notification(views[0], call.site, call.actor_id)

    return await respond.read(request, work, scope="read:notifications")


@routes.post("/api/v1/notifications/clear")
async def clear(request: web.Request) -> web.Response:
    """The actor has no notifications."""

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        notifications.clear(tx, call.actor_id)
        return {}

    return await respond.write(request, work, scope="write:notifications")


@routes.post("/api/v1/notifications/{id}/dismiss")
async def dismiss(request: web.Request) -> web.Response:
    """The notification is gone."""
    notification_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        if not notifications.dismiss(tx, call.actor_id, notification_id):
            raise NotFound(NOT_FOUND)
        return {}

    return await respond.write(request, work, scope="write:notifications")


@routes.get("/api/v1/markers")
async def markers(request: web.Request) -> web.Response:
    """How far the actor has read in the timelines asked for."""
    wanted = query(request).words("timeline")

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        found = notifications.get_markers(tx, call.actor_id)
        return {name: entities.marker(found[name]) for name in _TIMELINES if name in wanted and name in found}

    return await respond.read(request, work, scope="read:statuses")


@routes.post("/api/v1/markers")
async def set_markers(request: web.Request) -> web.Response:
    """The actor has read that far."""
    sent = await params.read(request)
    reached = {name: sent.object(name).id("last_read_id") for name in _TIMELINES}

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        return {
            name: entities.marker(notifications.set_marker(tx, call.actor_id, name, last_read_id, now=call.now))
            for name, last_read_id in reached.items()
            if last_read_id is not None
        }

    return await respond.write(request, work, scope="write:statuses")
