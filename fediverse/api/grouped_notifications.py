"""Notifications in groups: what Mastodon serves since 4.3."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import entities, loading, notifications
from fediverse.api import listings, respond
from fediverse.api.notifications import UNREAD, wanted_of
from fediverse.api.paging import ACCOUNTS, NOTIFICATIONS, page_of
from fediverse.api.respond import NOT_FOUND, Call, Listing
from fediverse.entities import GroupView
from fediverse.errors import Invalid, NotFound
from fediverse.paging import Page, filled
from fediverse.params import Params, query

routes = web.RouteTableDef()
_EXPANDING: Final = ("full", "partial_avatars")


@routes.get("/api/v2/notifications")
async def index(request: web.Request) -> web.Response:
    """A page of groups, with their accounts and statuses once each."""
    asked = query(request)
    page, wanted, grouped = page_of(asked, NOTIFICATIONS), wanted_of(asked), _grouped(asked)
    expanding = asked.text("expand_accounts") or _EXPANDING[0]
    if expanding not in _EXPANDING:
        raise Invalid("“expand_accounts” must be full or partial_avatars.")

    def work(tx: Connection, call: Call) -> Listing:
        def shown(page: Page) -> tuple[list[int], list[tuple[int, GroupView]]]:
            found = notifications.group_page(tx, call.actor_id, page, wanted, grouped=grouped)
            views = loading.groups(tx, found, call.actor_id)
            return [group.place for group in found], [(view.head.notification.id, view) for view in views]

        views, ends = filled(page, shown)
        return Listing(entities.grouped(views, call.site, call.actor_id, partial=expanding == _EXPANDING[1]), ends)

    return await respond.read(request, work, scope="read:notifications")


def _grouped(asked: Params) -> list[str] | None:
    return asked.words("grouped_types") if asked.has("grouped_types") else None


@routes.get("/api/v2/notifications/unread_count")
async def unread_count(request: web.Request) -> web.Response:
    """How many groups have something newer than the marker."""
    asked = query(request)
    wanted, grouped = wanted_of(asked), _grouped(asked)
    limit = asked.integer("limit", UNREAD[0], low=1, high=UNREAD[1])

    def work(tx: Connection, call: Call) -> dict[str, int]:
        return {"count": notifications.unread_groups(tx, call.actor_id, wanted, grouped=grouped, limit=limit)}

    return await respond.read(request, work, scope="read:notifications")


@routes.get("/api/v2/notifications/{group_key}")
async def show(request: web.Request) -> web.Response:
    """One group."""
    key = _key(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        found = notifications.group(tx, call.actor_id, key)
        views = loading.groups(tx, [found], call.actor_id) if found is not None else []
        if not views:
            raise NotFound(NOT_FOUND)
        return entities.grouped(views, call.site, call.actor_id, paged=False)

    return await respond.read(request, work, scope="read:notifications")


@routes.get("/api/v2/notifications/{group_key}/accounts")
async def accounts(request: web.Request) -> web.Response:
    """Who sent the notifications of a group."""
    key, page = _key(request), page_of(query(request), ACCOUNTS)

    def work(tx: Connection, call: Call) -> Listing:
        return listings.accounts(tx, notifications.group_senders(tx, call.actor_id, key, page), call)

    return await respond.read(request, work, scope="read:notifications")


@routes.post("/api/v2/notifications/{group_key}/dismiss")
async def dismiss(request: web.Request) -> web.Response:
    """All notifications of a group are gone."""
    key = _key(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        notifications.dismiss_group(tx, call.actor_id, key)
        return {}

    return await respond.write(request, work, scope="write:notifications")


def _key(request: web.Request) -> str:
    """The key of a group. Raises NotFound for what can be none."""
    key = request.match_info["group_key"]
    if "\x00" in key:
        raise NotFound(NOT_FOUND)
    return key
