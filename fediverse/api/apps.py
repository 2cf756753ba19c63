"""OAuth applications: registered by the clients themselves."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from fediverse import access, clock, entities, keys, params
from fediverse.api import limits, respond
from fediverse.api.respond import NOT_FOUND, Call
from fediverse.errors import NotFound
from fediverse.params import Params

routes = web.RouteTableDef()


@routes.post("/api/v1/apps")
async def create(request: web.Request) -> web.Response:
    """A new application, with its credentials, which are told this once."""
    sent = await params.read(request)
    limits.count(request, limits.APPS, "apps")
    uris = redirect_uris(sent)

    def work(tx: Connection) -> dict[str, Any]:
        app, secret = access.register_app(
            tx,
            name=sent.text("client_name"),
            redirect_uris=uris,
            scopes=sent.text("scopes"),
            website=sent.text("website").strip() or None,
            now=clock.now(),
        )
        return entities.credential_application(app, request.app[keys.SITE], client_secret=secret)

    return respond.json(await request.app[keys.DATABASE].write(work))


def redirect_uris(sent: Params) -> list[str]:
    """The addresses, sent as a list or as one text with one a line."""
    return [uri for text in sent.words("redirect_uris") for uri in text.split()]


@routes.get("/api/v1/apps/verify_credentials")
async def verify_credentials(request: web.Request) -> web.Response:
    """The application that the token belongs to, whatever its scopes."""
    respond.require_token(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        app = access.app_by_id(tx, call.credentials.app_id) if call.credentials is not None else None
        if app is None:
            raise NotFound(NOT_FOUND)
        return entities.application(app, call.site)

    return await respond.read(request, work, scope="", anonymous=True)
