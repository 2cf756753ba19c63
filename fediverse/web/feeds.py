"""Atom feeds (RFC 4287) of an account's and of a hashtag's public posts. Nothing else is ever in a feed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import keys, loading, statuses, timelines
from fediverse.drafts import Visibility
from fediverse.entities import StatusView
from fediverse.errors import NotFound
from fediverse.paging import Page
from fediverse.web import render
from fediverse.web.public import by_acct
from fediverse.web.static import respond
from fediverse.web.visit import Visit, read

routes = web.RouteTableDef()

_ENTRIES: Final = 20
_TYPE: Final = "application/atom+xml; charset=utf-8"
_CACHED: Final = "public, max-age=300"


@routes.get(r"/@{acct:[A-Za-z0-9_]+}.atom")
@routes.get(r"/@{acct:[A-Za-z0-9_]+}/feed.atom")
async def account(request: web.Request) -> web.Response:
    """What somebody here posted for everybody, without boosts and replies to others."""

    def work(tx: Connection, visit: Visit) -> dict[str, Any]:
        actor = by_acct(tx, visit, request.match_info["acct"])
        if actor.suspended_at is not None:
            raise NotFound("There is no such feed.")
        rows = timelines.account(
            tx, actor.id, Page(_ENTRIES), viewer_id=None, exclude_replies=True, exclude_boosts=True
        )
        page = visit.urls.profile(actor.username)
        return {
            "id": visit.urls.actor(actor.username),
            "heading": f"{render.display_name(actor)} ({render.handle(visit, actor)})",
            "page": page,
            "here": f"{page}.atom",
            "views": _public(loading.statuses(tx, rows, None)),
            "since": actor.created_at,
        }

    return await _feed(request, work)


@routes.get("/tags/{tag:[^/]+}.atom")
async def tag(request: web.Request) -> web.Response:
    """What was posted here for everybody under a hashtag."""

    def work(tx: Connection, visit: Visit) -> dict[str, Any]:
        found = statuses.find_tag(tx, request.match_info["tag"])
        if found is None:
            raise NotFound("There is no such feed: nothing was posted under this hashtag.")
        rows = timelines.tag(tx, [found.id], Page(_ENTRIES), viewer_id=None, now=visit.now, local=True)
        page = visit.urls.tag(found.name)
        return {
            "id": page,
            "heading": f"#{found.display} · {visit.info.name}",
            "page": page,
            "here": f"{page}.atom",
            "views": _public(loading.statuses(tx, rows, None)),
            "since": found.created_at,
        }

    return await _feed(request, work)


def _public(views: Sequence[StatusView]) -> list[StatusView]:
    return [view for view in views if view.status.visibility == Visibility.PUBLIC and view.status.boost_of_id is None]


async def _feed(request: web.Request, work: Any) -> web.Response:
    visit, found = await read(request, work, full=False)
    changes = [view.status.edited_at or view.status.created_at for view in found["views"]]
    updated = max(changes, default=found.pop("since"))
    found.pop("since", None)
    text = request.app[keys.TEMPLATES].get_template("feed.xml").render(visit=visit, updated=updated, **found)
    newest = found["views"][0].status if found["views"] else None
    etag = f"{updated}-{newest.id if newest is not None else 0}-{len(changes)}"
    return respond(request, text.encode(), _TYPE, etag=etag, cached=_CACHED)
