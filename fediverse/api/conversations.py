"""Direct conversations."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from fediverse import conversations, entities, loading
from fediverse.api import listings, respond
from fediverse.api.paging import page_of
from fediverse.api.respond import NOT_FOUND, Call, Listing, path_id
from fediverse.errors import NotFound
from fediverse.params import query

routes = web.RouteTableDef()


@routes.get("/api/v1/conversations")
async def index(request: web.Request) -> web.Response:
    """The signed-in actor's conversations, the latest first."""
    page = page_of(query(request))

    def work(tx: Connection, call: Call) -> Listing:
        rows = conversations.page(tx, call.actor_id, page, now=call.now)
        views = loading.conversations(tx, rows, call.actor_id)
        # Paged by what was said last, since that is what they are sorted by.
        return Listing(
            [entities.conversation(view, call.site, call.actor_id) for view in views],
            [row.last_status_id for row in rows],
        )

    return await respond.read(request, work, scope="read:statuses")


@routes.get("/api/v1/timelines/direct")
async def direct(request: web.Request) -> web.Response:
    """The direct posts themselves, as clients of old ask for them."""
    page = page_of(query(request))

    def work(tx: Connection, call: Call) -> Listing:
        return listings.statuses(tx, conversations.statuses_page(tx, call.actor_id, page, now=call.now), call)

    return await respond.read(request, work, scope="read:statuses")


@routes.post("/api/v1/conversations/{id}/read")
async def read(request: web.Request) -> web.Response:
    """The conversation is read."""
    return await _mark(request, unread=False)


@routes.post("/api/v1/conversations/{id}/unread")
async def unread(request: web.Request) -> web.Response:
    """The conversation is unread again."""
    return await _mark(request, unread=True)


async def _mark(request: web.Request, *, unread: bool) -> web.Response:
    conversation_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        row = conversations.mark(tx, call.actor_id, conversation_id, unread=unread)
        if row is None:
            raise NotFound(NOT_FOUND)
        return entities.conversation(loading.conversations(tx, [row], call.actor_id)[0], call.site, call.actor_id)

    return await respond.write(request, work, scope="write:conversations")


@routes.delete("/api/v1/conversations/{id}")
async def remove(request: web.Request) -> web.Response:
    """The conversation is gone for the signed-in actor; its posts stay."""
    conversation_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        if not conversations.remove(tx, call.actor_id, conversation_id):
            raise NotFound(NOT_FOUND)
        return {}

    return await respond.write(request, work, scope="write:conversations")
