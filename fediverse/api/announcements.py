"""What those who run the instance tell everybody here."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from fediverse import announcements, entities
from fediverse.api import respond
from fediverse.api.respond import Call, path_id
from fediverse.params import query

routes = web.RouteTableDef()


@routes.get("/api/v1/announcements")
async def index(request: web.Request) -> web.Response:
    """The announcements that the account has not dismissed; ``with_dismissed`` brings those too."""
    with_dismissed = query(request).flag("with_dismissed")

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        found = announcements.shown(tx, call.actor_id, with_dismissed=with_dismissed, now=call.now)
        return [entities.announcement(view) for view in found]

    return await respond.read(request, work, scope="")


@routes.post("/api/v1/announcements/{id}/dismiss")
async def dismiss(request: web.Request) -> web.Response:
    """The account has read an announcement."""
    announcement_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        announcements.dismiss(tx, call.actor_id, announcement_id, now=call.now)
        return {}

    return await respond.write(request, work, scope="write:accounts")


@routes.put("/api/v1/announcements/{id}/reactions/{name}")
async def react(request: web.Request) -> web.Response:
    """The account reacts with an emoji."""
    announcement_id, name = path_id(request), request.match_info["name"]

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        announcements.react(tx, call.actor_id, announcement_id, name, now=call.now)
        return {}

    return await respond.write(request, work, scope="write:favourites")


@routes.delete("/api/v1/announcements/{id}/reactions/{name}")
async def take_back(request: web.Request) -> web.Response:
    """The account does not react so any more."""
    announcement_id, name = path_id(request), request.match_info["name"]

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        announcements.take_back(tx, call.actor_id, announcement_id, name, now=call.now)
        return {}

    return await respond.write(request, work, scope="write:favourites")
