"""What one does with a status: like, boost, bookmark, pin, mute its conversation; and the reverse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import loading, params, reactions, statuses
from fediverse.api import listings, respond
from fediverse.api.respond import Call, path_id
from fediverse.drafts import Visibility
from fediverse.entities import VISIBILITIES
from fediverse.errors import Invalid

routes = web.RouteTableDef()

#: (tx, call, actor, status, author): what is done.
Act = Callable[[Connection, Call, Row[Any], Row[Any], Row[Any]], object]


async def _react(request: web.Request, act: Act, *, scope: str) -> web.Response:
    """``act`` is done with the status (with the boosted one, where the id is a boost's); answers with the status."""
    status_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        actor = call.actor(tx)
        row = statuses.get_visible(tx, status_id, actor.id)
        if row.boost_of_id is not None:
            row = statuses.get_visible(tx, row.boost_of_id, actor.id)
        author = loading.accounts(tx, [row.author_id])[row.author_id]
        act(tx, call, actor, row, author)
        return listings.status(tx, statuses.get_visible(tx, row.id, actor.id), call)

    return await respond.write(request, work, scope=scope)


@routes.post("/api/v1/statuses/{id}/favourite")
async def favourite(request: web.Request) -> web.Response:
    """The actor likes the status."""
    return await _react(
        request,
        lambda tx, call, actor, row, author: reactions.favourite(
            tx, call.urls, actor, row, author=author, now=call.now
        ),
        scope="write:favourites",
    )


@routes.post("/api/v1/statuses/{id}/unfavourite")
async def unfavourite(request: web.Request) -> web.Response:
    """The actor does not like the status."""
    return await _react(
        request,
        lambda tx, call, actor, row, author: reactions.unfavourite(
            tx, call.urls, actor, row, author=author, now=call.now
        ),
        scope="write:favourites",
    )


@routes.post("/api/v1/statuses/{id}/reblog")
async def reblog(request: web.Request) -> web.Response:
    """The actor boosts the status; answers with the boost, which holds it."""
    status_id = path_id(request)
    word = (await params.read(request)).text("visibility") or "public"
    visibility = VISIBILITIES.get(word)
    if visibility is None or visibility is Visibility.DIRECT:
        raise Invalid("A boost is public, unlisted or private.")

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        actor = call.actor(tx)
        row = statuses.get_visible(tx, status_id, actor.id)
        if row.boost_of_id is not None:
            row = statuses.get_visible(tx, row.boost_of_id, actor.id)
        author = loading.accounts(tx, [row.author_id])[row.author_id]
        boost = statuses.boost(tx, call.urls, actor, row, author=author, now=call.now, visibility=visibility)
        return listings.status(tx, boost, call)

    return await respond.write(request, work, scope="write:statuses")


@routes.post("/api/v1/statuses/{id}/unreblog")
async def unreblog(request: web.Request) -> web.Response:
    """The actor's boost of the status is gone; answers with the status."""
    return await _react(
        request,
        lambda tx, call, actor, row, author: statuses.unboost(tx, call.urls, actor, row, author=author, now=call.now),
        scope="write:statuses",
    )


@routes.post("/api/v1/statuses/{id}/bookmark")
async def bookmark(request: web.Request) -> web.Response:
    """The status is among the actor's bookmarks."""
    return await _react(
        request,
        lambda tx, call, actor, row, _author: reactions.bookmark(tx, actor, row, now=call.now),
        scope="write:bookmarks",
    )


@routes.post("/api/v1/statuses/{id}/unbookmark")
async def unbookmark(request: web.Request) -> web.Response:
    """The status is not among the actor's bookmarks."""
    return await _react(
        request,
        lambda tx, _call, actor, row, _author: reactions.unbookmark(tx, actor, row),
        scope="write:bookmarks",
    )


@routes.post("/api/v1/statuses/{id}/pin")
async def pin(request: web.Request) -> web.Response:
    """The actor's own status heads its profile."""
    return await _react(
        request,
        lambda tx, call, actor, row, _author: reactions.pin(tx, call.urls, actor, row, now=call.now),
        scope="write:accounts",
    )


@routes.post("/api/v1/statuses/{id}/unpin")
async def unpin(request: web.Request) -> web.Response:
    """The status heads the profile no longer."""
    return await _react(
        request,
        lambda tx, call, actor, row, _author: reactions.unpin(tx, call.urls, actor, row, now=call.now),
        scope="write:accounts",
    )


@routes.post("/api/v1/statuses/{id}/mute")
async def mute(request: web.Request) -> web.Response:
    """The actor is told nothing more of the conversation."""
    return await _react(
        request,
        lambda tx, _call, actor, row, _author: reactions.mute_conversation(tx, actor, row),
        scope="write:mutes",
    )


@routes.post("/api/v1/statuses/{id}/unmute")
async def unmute(request: web.Request) -> web.Response:
    """The actor is told of the conversation again."""
    return await _react(
        request,
        lambda tx, _call, actor, row, _author: reactions.unmute_conversation(tx, actor, row),
        scope="write:mutes",
    )
