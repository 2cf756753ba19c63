"""Whom accounts recommend on their profiles."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy import Connection

from fediverse.actors import endorsements, relations
from fediverse.api import accounts, listings, respond
from fediverse.api.paging import ACCOUNTS, page_of
from fediverse.api.relations import relate
from fediverse.api.respond import Call, Listing, path_id
from fediverse.params import query

routes = web.RouteTableDef()


@routes.post("/api/v1/accounts/{id}/pin")
@routes.post("/api/v1/accounts/{id}/endorse")
async def endorse(request: web.Request) -> web.Response:
    """The actor recommends the account, which it follows."""
    return await relate(
        request,
        lambda tx, call, actor, target: endorsements.endorse(tx, actor, target, now=call.now),
        scope="write:accounts",
    )


@routes.post("/api/v1/accounts/{id}/unpin")
@routes.post("/api/v1/accounts/{id}/unendorse")
async def unendorse(request: web.Request) -> web.Response:
    """The actor does not recommend the account."""
    return await relate(
        request,
        lambda tx, _call, actor, target: endorsements.unendorse(tx, actor.id, target.id),
        scope="write:accounts",
    )


@routes.get("/api/v1/endorsements")
async def own(request: web.Request) -> web.Response:
    """Whom the actor recommends."""
    page = page_of(query(request), ACCOUNTS)

    def work(tx: Connection, call: Call) -> Listing:
        return listings.accounts(tx, endorsements.page(tx, call.actor_id, page), call)

    return await respond.read(request, work, scope="read:accounts")


@routes.get("/api/v1/accounts/{id}/endorsements")
async def of_account(request: web.Request) -> web.Response:
    """Whom an account here recommends; whom accounts elsewhere do is not known."""
    actor_id, page = path_id(request), page_of(query(request), ACCOUNTS)

    def work(tx: Connection, call: Call) -> Listing:
        row, viewer = accounts.find(tx, actor_id), call.viewer_id
        blocked = viewer is not None and relations.relationships(tx, viewer, [row.id], now=call.now)[0].blocked_by
        if row.suspended_at is not None or blocked:
            return Listing([])
        return listings.accounts(tx, endorsements.page(tx, row.id, page), call)

    return await respond.read(request, work, scope="read:accounts", anonymous=True)
