"""Reading and deleting statuses, and who liked and boosted them."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import entities, loading, params, reactions, statuses, timelines
from fediverse.api import listings, respond
from fediverse.api.paging import ACCOUNTS, page_of
from fediverse.api.respond import Call, Listing, path_id
from fediverse.params import query

routes = web.RouteTableDef()

_AT_ONCE: Final = 20


@routes.get("/api/v1/statuses")
async def several(request: web.Request) -> web.Response:
    """The statuses of these ids, as far as the viewer may see them, in the order that was asked for."""
    wanted = query(request).ids("id", most=_AT_ONCE)

    def work(tx: Connection, call: Call) -> object:
        found = {row.id: row for row in statuses.visible_among(tx, wanted, call.viewer_id)}
        rows = [found[status_id] for status_id in wanted if status_id in found]
        return listings.statuses(tx, rows, call).items

    return await respond.read(request, work, scope="read:statuses", anonymous=True)


@routes.get("/api/v1/statuses/{id}")
async def show(request: web.Request) -> web.Response:
    """A status that the viewer may see."""
    status_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        return listings.status(tx, statuses.get_visible(tx, status_id, call.viewer_id), call)

    return await respond.read(request, work, scope="read:statuses", anonymous=True)


@routes.get("/api/v1/statuses/{id}/card")
async def card(request: web.Request) -> web.Response:
    """What the page that the status links to says of itself; an empty object where there is nothing to show."""
    status_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        view = loading.status(tx, statuses.get_visible(tx, status_id, call.viewer_id), call.viewer_id)
        shown = (view.boost or view).card
        return entities.card(shown, call.site) if shown is not None else {}

    return await respond.read(request, work, scope="read:statuses", anonymous=True)


@routes.get("/api/v1/statuses/{id}/context")
async def context(request: web.Request) -> web.Response:
    """The thread around a status, as far as the viewer may see it."""
    status_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        row = statuses.get_visible(tx, status_id, call.viewer_id)
        above, below = timelines.context(tx, row, call.viewer_id)
        views = loading.statuses(tx, [*above, *below], call.viewer_id)
        return entities.context(views[: len(above)], views[len(above) :], call.site, call.viewer_id)

    return await respond.read(request, work, scope="read:statuses", anonymous=True)


@routes.get("/api/v1/statuses/{id}/history")
async def history(request: web.Request) -> web.Response:
    """Every version of a status."""
    status_id = path_id(request)

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        row = statuses.get_visible(tx, status_id, call.viewer_id)
        author = loading.accounts(tx, [row.author_id])[row.author_id]
        return entities.history(statuses.history(tx, row.id), row, author, call.site)

    return await respond.read(request, work, scope="read:statuses", anonymous=True)


@routes.get("/api/v1/statuses/{id}/source")
async def source(request: web.Request) -> web.Response:
    """What the signed-in author typed."""
    status_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, str]:
        return entities.status_source(statuses.get_own(tx, status_id, call.actor_id))

    return await respond.read(request, work, scope="read:statuses")


@routes.get("/api/v1/statuses/{id}/favourited_by")
async def favourited_by(request: web.Request) -> web.Response:
    """Who likes a status."""
    status_id, page = path_id(request), page_of(query(request), ACCOUNTS)

    def work(tx: Connection, call: Call) -> Listing:
        row = statuses.get_visible(tx, status_id, call.viewer_id)
        return listings.accounts(tx, reactions.favourited_by(tx, row.id, page), call)

    return await respond.read(request, work, scope="read:statuses", anonymous=True)


@routes.get("/api/v1/statuses/{id}/reblogged_by")
async def reblogged_by(request: web.Request) -> web.Response:
    """Who boosted a status."""
    status_id, page = path_id(request), page_of(query(request), ACCOUNTS)

    def work(tx: Connection, call: Call) -> Listing:
        row = statuses.get_visible(tx, status_id, call.viewer_id)
        return listings.accounts(tx, reactions.boosted_by(tx, row.id, page), call)

    return await respond.read(request, work, scope="read:statuses", anonymous=True)


@routes.delete("/api/v1/statuses/{id}")
async def delete(request: web.Request) -> web.Response:
    """The signed-in author's status is gone; answers with its source, so that it can be written anew.

    With its files, unless ``delete_media`` says that they go at once.
    """
    status_id = path_id(request)
    delete_media = (await params.read(request)).flag("delete_media")

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        actor = call.actor(tx)
        row = statuses.get_visible(tx, status_id, actor.id)
        if row.boost_of_id is not None and row.author_id == actor.id:
            entity = listings.status(tx, row, call)
            original = statuses.get_visible(tx, row.boost_of_id, actor.id)
            author = loading.accounts(tx, [original.author_id])[original.author_id]
            statuses.unboost(tx, call.urls, actor, original, author=author, now=call.now)
            return entity
        row = statuses.get_own(tx, status_id, actor.id)
        entity = {**listings.status(tx, row, call), "text": row.text}
        statuses.delete(tx, call.urls, row, author=actor, now=call.now, keep_media=not delete_media)
        return entity

    return await respond.write(request, work, scope="write:statuses")
