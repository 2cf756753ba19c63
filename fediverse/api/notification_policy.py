"""Whose notifications are kept back, and those who ask to be heard all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import entities, loading, notifications, params
from fediverse.api import respond
from fediverse.api.paging import NOTIFICATIONS, page_of
from fediverse.api.respond import NOT_FOUND, Call, Listing, path_id
from fediverse.errors import NotFound
from fediverse.notifications import Policy
from fediverse.params import Params, query

routes = web.RouteTableDef()
_AT_ONCE: Final = 80


@routes.get("/api/v2/notifications/policy")
async def policy(request: web.Request) -> web.Response:
    """What becomes of notifications by whom they are from."""

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        return _policy(tx, call, notifications.get_policy(tx, call.actor_id))

    return await respond.read(request, work, scope="read:notifications")


@routes.patch("/api/v2/notifications/policy")
@routes.put("/api/v2/notifications/policy")
async def set_policy(request: web.Request) -> web.Response:
    """The policy says what is sent; the rest of it stays."""
    sent = await params.read(request)
    changes = {name: sent.text(name) for name in asdict(notifications.DEFAULT) if sent.has(name)}

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        return _policy(tx, call, notifications.set_policy(tx, call.actor_id, changes))

    return await respond.write(request, work, scope="write:notifications")


def _policy(tx: Connection, call: Call, rules: Policy) -> dict[str, Any]:
    requests, count = notifications.pending(tx, call.actor_id)
    return entities.notification_policy(asdict(rules), requests=requests, notifications=count)


@routes.get("/api/v1/notifications/requests")
async def requests(request: web.Request) -> web.Response:
    """Whose mentions are kept back."""
    page = page_of(query(request), NOTIFICATIONS)

    def work(tx: Connection, call: Call) -> Listing:
        found = notifications.requests_page(tx, call.actor_id, page)
        views = loading.requests(tx, found, call.actor_id)
        return Listing(
            [entities.notification_request(view, call.site, call.actor_id) for view in views],
            [one.id for one in found],
        )

    return await respond.read(request, work, scope="read:notifications")


@routes.get("/api/v1/notifications/requests/merged")
async def merged(request: web.Request) -> web.Response:
    """Whether what was accepted shows: always, since it does so at once."""

    def work(_tx: Connection, _call: Call) -> dict[str, bool]:
        return {"merged": True}

    return await respond.read(request, work, scope="read:notifications")


@routes.get("/api/v1/notifications/requests/{id}")
async def show(request: web.Request) -> web.Response:
    """One of those whose mentions are kept back."""
    request_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        found = notifications.get_request(tx, call.actor_id, request_id)
        views = loading.requests(tx, [found], call.actor_id) if found is not None else []
        if not views:
            raise NotFound(NOT_FOUND)
        return entities.notification_request(views[0], call.site, call.actor_id)

    return await respond.read(request, work, scope="read:notifications")


@routes.post("/api/v1/notifications/requests/accept")
async def accept_many(request: web.Request) -> web.Response:
    """Some are heard from now on."""
    return await _accept(request, _ids(await params.read(request)), strict=False)


@routes.post("/api/v1/notifications/requests/{id}/accept")
async def accept(request: web.Request) -> web.Response:
    """Somebody is heard from now on, and what was kept back of them shows."""
    return await _accept(request, [path_id(request)], strict=True)


@routes.post("/api/v1/notifications/requests/dismiss")
async def dismiss_many(request: web.Request) -> web.Response:
    """What was kept back of some is gone."""
    return await _dismiss(request, _ids(await params.read(request)), strict=False)


@routes.post("/api/v1/notifications/requests/{id}/dismiss")
async def dismiss(request: web.Request) -> web.Response:
    """What was kept back of somebody is gone."""
    return await _dismiss(request, [path_id(request)], strict=True)


def _ids(sent: Params) -> list[int]:
    """The ids that are sent; Mastodon.py writes them as a list in a list (``id[][]``)."""
    value = sent.raw("id")
    if isinstance(value, list):
        value = [inner for one in value for inner in (one if isinstance(one, list) else [one])]
    return Params({"id": value}).ids("id", most=_AT_ONCE)


async def _accept(request: web.Request, request_ids: Sequence[int], *, strict: bool) -> web.Response:
    def work(tx: Connection, call: Call) -> dict[str, Any]:
        if not notifications.accept_requests(tx, call.actor_id, request_ids) and strict:
            raise NotFound(NOT_FOUND)
        return {}

    return await respond.write(request, work, scope="write:notifications")


async def _dismiss(request: web.Request, request_ids: Sequence[int], *, strict: bool) -> web.Response:
    def work(tx: Connection, call: Call) -> dict[str, Any]:
        if not notifications.dismiss_requests(tx, call.actor_id, request_ids) and strict:
            raise NotFound(NOT_FOUND)
        return {}

    return await respond.write(request, work, scope="write:notifications")
