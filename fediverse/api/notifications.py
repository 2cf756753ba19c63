"""Notifications, and the markers of how far one has read."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import entities, loading, notifications, params
from fediverse.api import respond
from fediverse.api.paging import NOTIFICATIONS, page_of
from fediverse.api.respond import NOT_FOUND, Call, Listing, path_id
from fediverse.entities import NotificationView
from fediverse.errors import NotFound
from fediverse.notifications import Wanted
from fediverse.paging import Page, filled
from fediverse.params import Params, query

routes = web.RouteTableDef()
_TIMELINES: Final = ("home", "notifications")
UNREAD: Final = (100, 1000)


@routes.get("/api/v1/notifications")
async def index(request: web.Request) -> web.Response:
    """What the actor was told, of all or some types, from all or one account."""
    asked = query(request)
    page, wanted = page_of(asked, NOTIFICATIONS), wanted_of(asked)

    def work(tx: Connection, call: Call) -> Listing:
        def shown(page: Page) -> tuple[list[int], list[tuple[int, NotificationView]]]:
            rows = notifications.page(tx, call.actor_id, page, wanted)
            views = loading.notifications(tx, rows, call.actor_id)
            return [row.id for row in rows], [(view.notification.id, view) for view in views]

        views, ends = filled(page, shown)
        return Listing([entities.notification(view, call.site, call.actor_id) for view in views], ends)

    return await respond.read(request, work, scope="read:notifications")


def wanted_of(asked: Params) -> Wanted:
    """Which notifications the parameters ask for. Raises BadRequest."""
    return Wanted(
        kinds=asked.words("types"),
        exclude=asked.words("exclude_types"),
        from_id=asked.id("account_id"),
        include_filtered=asked.flag("include_filtered"),
    )


@routes.get("/api/v1/notifications/unread_count")
async def unread_count(request: web.Request) -> web.Response:
    """How many notifications are newer than the marker."""
    asked = query(request)
    wanted, limit = wanted_of(asked), asked.integer("limit", UNREAD[0], low=1, high=UNREAD[1])

    def work(tx: Connection, call: Call) -> dict[str, int]:
        return {"count": notifications.unread_count(tx, call.actor_id, wanted, limit=limit)}

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
    return await _dismiss(request, path_id(request))


@routes.post("/api/v1/notifications/dismiss")
async def dismiss_by_parameter(request: web.Request) -> web.Response:
    """The same, as older clients ask for it."""
    return await _dismiss(request, (await params.read(request)).id("id"))


async def _dismiss(request: web.Request, notification_id: int | None) -> web.Response:
    def work(tx: Connection, call: Call) -> dict[str, Any]:
        if notification_id is None or not notifications.dismiss(tx, call.actor_id, notification_id):
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
