"""The signed-in actor's own profile and preferences."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from fediverse import entities
from fediverse.actors import relations
from fediverse.api import respond
from fediverse.api.respond import Call

routes = web.RouteTableDef()


def own_account(tx: Connection, call: Call) -> dict[str, Any]:
    """The signed-in actor with what only they see."""
    row = call.actor(tx)
    assert call.credentials is not None
    waiting = relations.requests_count(tx, row.id)
    return entities.credential_account(row, call.site, role=call.credentials.role, follow_requests_count=waiting)


@routes.get("/api/v1/accounts/verify_credentials")
async def verify_credentials(request: web.Request) -> web.Response:
    """Who is signed in."""
    return await respond.read(request, own_account, scope=("profile", "read:accounts"))


@routes.get("/api/v1/preferences")
async def preferences(request: web.Request) -> web.Response:
    """How the actor posts and reads unless a client is told otherwise."""

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        return entities.preferences(call.actor(tx))

    return await respond.read(request, work, scope="read:accounts")
