"""Hashtags: how much they are used, following them, and showing them on one's profile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import entities, hashtags, params
from fediverse.api import accounts, listings, respond
from fediverse.api.paging import page_of
from fediverse.api.respond import Call, Listing, path_id
from fediverse.errors import Invalid
from fediverse.params import query

routes = web.RouteTableDef()
_PAGE: Final = (100, 200)


def _entity(tx: Connection, call: Call, name: str) -> dict[str, Any]:
    view = hashtags.view(tx, name, call.viewer_id, now=call.now)
    return entities.tag(view, call.site, signed_in=call.viewer_id is not None, now=call.now)


async def _change(
    request: web.Request, act: Callable[[Connection, Call, str], object], *, scope: str, name: str = "name"
) -> web.Response:
    """``act`` is done with the hashtag; answers with how it looks then."""
    named = request.match_info[name]

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        act(tx, call, named)
        return _entity(tx, call, named)

    return await respond.write(request, work, scope=scope)


@routes.get("/api/v1/tags/{name}")
async def show(request: web.Request) -> web.Response:
    """A hashtag, used or not."""
    name = request.match_info["name"]
    return await respond.read(request, lambda tx, call: _entity(tx, call, name), scope="read", anonymous=True)


@routes.post("/api/v1/tags/{name}/follow")
async def follow(request: web.Request) -> web.Response:
    """What is posted under the hashtag comes home."""
    return await _change(
        request,
        lambda tx, call, name: hashtags.follow(tx, call.actor_id, name, now=call.now),
        scope="write:follows",
    )


@routes.post("/api/v1/tags/{name}/unfollow")
async def unfollow(request: web.Request) -> web.Response:
    """The hashtag brings nothing home."""
    return await _change(
        request, lambda tx, call, name: hashtags.unfollow(tx, call.actor_id, name), scope="write:follows"
    )


@routes.post("/api/v1/tags/{id}/feature")
async def feature(request: web.Request) -> web.Response:
    """The hashtag stands on the actor's profile."""
    return await _change(
        request,
        lambda tx, call, name: hashtags.feature(tx, call.actor_id, name, now=call.now),
        scope="write:accounts",
        name="id",
    )


@routes.post("/api/v1/tags/{id}/unfeature")
async def unfeature(request: web.Request) -> web.Response:
    """The hashtag does not stand on the actor's profile."""
    return await _change(
        request,
        lambda tx, call, name: hashtags.unfeature(tx, call.actor_id, name=name),
        scope="write:accounts",
        name="id",
    )


@routes.get("/api/v1/followed_tags")
async def followed(request: web.Request) -> web.Response:
    """The hashtags that the actor follows."""
    page = page_of(query(request), _PAGE)

    def work(tx: Connection, call: Call) -> Listing:
        found = hashtags.followed_page(tx, call.actor_id, page)
        return Listing(listings.tags(tx, [row for _, row in found], call), [cursor for cursor, _ in found])

    return await respond.read(request, work, scope="read:follows")


@routes.get("/api/v1/featured_tags")
async def featured(request: web.Request) -> web.Response:
    """The hashtags on the actor's profile."""

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        return entities.featured_tags(hashtags.featured(tx, call.actor_id), call.site)

    return await respond.read(request, work, scope="read:accounts")


@routes.post("/api/v1/featured_tags")
async def add_featured(request: web.Request) -> web.Response:
    """One hashtag more stands on the actor's profile."""
    name = (await params.read(request)).text("name")

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        if hashtags.read_name(name) is None:
            raise Invalid("Say in “name” which hashtag: letters, digits and underscores, not digits alone.")
        return entities.featured_tags([hashtags.feature(tx, call.actor_id, name, now=call.now)], call.site)[0]

    return await respond.write(request, work, scope="write:accounts")


@routes.delete("/api/v1/featured_tags/{id}")
async def remove_featured(request: web.Request) -> web.Response:
    """The hashtag does not stand on the actor's profile."""
    featured_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        hashtags.unfeature(tx, call.actor_id, featured_id=featured_id)
        return {}

    return await respond.write(request, work, scope="write:accounts")


@routes.get("/api/v1/featured_tags/suggestions")
async def suggestions(request: web.Request) -> web.Response:
    """Hashtags that the actor uses and could show on its profile."""

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        return listings.tags(tx, hashtags.suggestions(tx, call.actor_id), call)

    return await respond.read(request, work, scope="read:accounts")


@routes.get("/api/v1/accounts/{id}/featured_tags")
async def featured_by(request: web.Request) -> web.Response:
    """The hashtags on an account's profile."""
    account_id = path_id(request)

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        account = accounts.find(tx, account_id)
        return entities.featured_tags(hashtags.featured(tx, account.id), call.site)

    return await respond.read(request, work, scope="read:accounts", anonymous=True)
