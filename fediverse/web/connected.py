"""Settings: the applications and browsers that the person is signed in with."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from fediverse.access import connected
from fediverse.params import read_id
from fediverse.web import render
from fediverse.web.visit import Visit, cookies_of, form, read, see_other, write

routes = web.RouteTableDef()


@routes.get("/settings/apps")
async def show(request: web.Request) -> web.Response:
    """What the person is signed in with."""

    def find(tx: Connection, visit: Visit) -> tuple[Any, Any]:
        return connected.apps_of(tx, visit.person_id), connected.sessions_of(tx, visit.person_id, now=visit.now)

    visit, (apps, sessions) = await read(request, find)
    cookie = cookies_of(request).session(request) or ""
    return render.page(
        visit,
        "settings_apps.html",
        apps=apps,
        sessions=sessions,
        current=connected.session_mark(cookie),
        problem="",
        message="Done." if "saved" in request.query else "",
    )


@routes.post("/settings/apps/revoke")
async def revoke(request: web.Request) -> web.Response:
    """The application can act for the person no longer."""
    app_id = read_id((await form(request)).text("app")) or 0
    await write(request, lambda tx, visit: connected.revoke_app(tx, visit.person_id, app_id, now=visit.now))
    return see_other("/settings/apps?saved=1")


@routes.post("/settings/apps/sign_out")
async def sign_out(request: web.Request) -> web.Response:
    """The browser is signed out."""
    mark = (await form(request)).text("session")
    await write(request, lambda tx, visit: connected.end_session_of(tx, visit.person_id, mark))
    return see_other("/settings/apps?saved=1")
