"""Timelines: home, public, hashtag; and the lists that read like timelines: favourites and bookmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import cards, reactions, statuses, timelines
from fediverse.api import listings, respond
from fediverse.api.paging import page_of
from fediverse.api.respond import Call, Listing
from fediverse.errors import NotFound
from fediverse.paging import Page
from fediverse.params import query

routes = web.RouteTableDef()
_MORE_TAGS: Final = 4


@routes.get("/api/v1/timelines/home")
async def home(request: web.Request) -> web.Response:
    """The signed-in actor's home timeline."""
    page = page_of(query(request))

    def work(tx: Connection, call: Call) -> Listing:
        return listings.timeline(
            tx, page, lambda page: timelines.home(tx, call.actor_id, page, now=call.now), call, context="home"
        )

    return await respond.read(request, work, scope="read:statuses")


@routes.get("/api/v1/timelines/public")
async def public(request: web.Request) -> web.Response:
    """Everybody's public posts; those from here or from elsewhere only, when asked."""
    params = query(request)
    page = page_of(params)
    local, remote, only_media = params.flag("local"), params.flag("remote"), params.flag("only_media")

    def work(tx: Connection, call: Call) -> Listing:
        def load(page: Page) -> list[Row[Any]]:
            return timelines.public(
                tx, page, viewer_id=call.viewer_id, now=call.now, local=local, remote=remote, only_media=only_media
            )

        return listings.timeline(tx, page, load, call, context="public")

    return await respond.read(request, work, scope="read:statuses", anonymous=True)


@routes.get("/api/v1/timelines/tag/{hashtag}")
async def tag(request: web.Request) -> web.Response:
    """The public posts under a hashtag, or under any, all or none of some more."""
    params = query(request)
    page = page_of(params)
    name = request.match_info["hashtag"].removeprefix("#")
    any_of = [name, *params.words("any", most=_MORE_TAGS)]
    all_of, none_of = params.words("all", most=_MORE_TAGS), params.words("none", most=_MORE_TAGS)
    local, remote, only_media = params.flag("local"), params.flag("remote"), params.flag("only_media")

    def work(tx: Connection, call: Call) -> Listing:
        wanted, required, unwanted = _tag_ids(tx, any_of), _tag_ids(tx, all_of), _tag_ids(tx, none_of)
        if not wanted or len(required) < len(all_of):
            return Listing([])

        def load(page: Page) -> list[Row[Any]]:
            return timelines.tag(
                tx,
                wanted,
                page,
                viewer_id=call.viewer_id,
                now=call.now,
                all_of=required,
                none_of=unwanted,
                local=local,
                remote=remote,
                only_media=only_media,
            )

        return listings.timeline(tx, page, load, call, context="public")

    return await respond.read(request, work, scope="read:statuses", anonymous=True)


@routes.get("/api/v1/timelines/link")
async def link(request: web.Request) -> web.Response:
    """The public posts that link to a page first; 404 for one whose card is not known."""
    params = query(request)
    page, url = page_of(params), params.text("url")

    def work(tx: Connection, call: Call) -> Listing:
        card = cards.by_link(tx, url)
        if card is None:
            raise NotFound(respond.NOT_FOUND)
        return listings.statuses(tx, timelines.link(tx, card.id, page, viewer_id=call.viewer_id, now=call.now), call)

    return await respond.read(request, work, scope="read:statuses", anonymous=True)


def _tag_ids(tx: Connection, names: Sequence[str]) -> list[int]:
    """The ids of those of a handful of names that are known hashtags."""
    found = (statuses.find_tag(tx, name) for name in names)
    return [row.id for row in found if row is not None]


@routes.get("/api/v1/favourites")
async def favourites(request: web.Request) -> web.Response:
    """What the signed-in actor liked."""
    page = page_of(query(request))

    def work(tx: Connection, call: Call) -> Listing:
        return listings.marked_statuses(tx, reactions.favourites_page(tx, call.actor_id, page), call)

    return await respond.read(request, work, scope="read:favourites")


@routes.get("/api/v1/bookmarks")
async def bookmarks(request: web.Request) -> web.Response:
    """What the signed-in actor bookmarked."""
    page = page_of(query(request))

    def work(tx: Connection, call: Call) -> Listing:
        return listings.marked_statuses(tx, reactions.bookmarks_page(tx, call.actor_id, page), call)

    return await respond.read(request, work, scope="read:bookmarks")
