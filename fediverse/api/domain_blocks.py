"""Whole servers that the actor wants to have nothing to do with."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import params
from fediverse.actors import hidden_hosts
from fediverse.api import respond
from fediverse.api.paging import page_of
from fediverse.api.respond import Call, Listing
from fediverse.errors import Invalid
from fediverse.params import Params, query

routes = web.RouteTableDef()
_SIZE: Final = (100, 200)


@routes.get("/api/v1/domain_blocks")
async def domain_blocks(request: web.Request) -> web.Response:
    """The domains that the actor blocks."""
    page = page_of(query(request), _SIZE)

    def work(tx: Connection, call: Call) -> Listing:
        found = hidden_hosts.page(tx, call.actor_id, page)
        return Listing([host for _, host in found], [cursor for cursor, _ in found])

    return await respond.read(request, work, scope="read:blocks")


@routes.post("/api/v1/domain_blocks")
async def block(request: web.Request) -> web.Response:
    """Nothing from the domain shows to the actor, and nobody there follows or is followed."""
    sent = await params.read(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        hidden_hosts.hide(tx, call.urls, call.actor(tx), _domain(sent), now=call.now)
        return {}

    return await respond.write(request, work, scope="write:blocks")


@routes.delete("/api/v1/domain_blocks")
async def unblock(request: web.Request) -> web.Response:
    """The domain shows again; follows that ended stay ended."""
    sent = await params.read(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        hidden_hosts.show(tx, call.actor_id, _domain(sent))
        return {}

    return await respond.write(request, work, scope="write:blocks")


def _domain(sent: Params) -> str:
    domain = sent.text("domain").strip()
    if not domain:
        raise Invalid("Validation failed: say which domain, such as example.com.")
    return domain
