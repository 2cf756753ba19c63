"""Pages for those who are signed in: home, mentions, notifications, requests to follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import loading, notifications, timelines
from fediverse.actors import relations
from fediverse.entities import NotificationView, StatusView
from fediverse.paging import Page
from fediverse.web import render, writing
from fediverse.web.public import more
from fediverse.web.visit import Visit, form, page_number, read, see_other, write

routes = web.RouteTableDef()

_POSTS: Final = 20
_NOTIFICATIONS: Final = 30
_PEOPLE: Final = 40


@routes.get("/home")
async def home(request: web.Request) -> web.Response:
    """The home timeline under the composer."""
    return await _timeline(
        request,
        lambda tx, visit, page: timelines.home(tx, visit.me.id, page, now=visit.now),
        heading="Home",
        empty="Nothing here yet. Search for people to follow, here or on any other server, or post something.",
        compose=True,
    )


@routes.get("/mentions")
async def mentions(request: web.Request) -> web.Response:
    """What names or answers the visitor."""
    return await _timeline(
        request,
        lambda tx, visit, page: timelines.mentioning(tx, visit.me.id, page, now=visit.now),
        heading="Mentions",
        empty="Nobody has mentioned you yet.",
    )


_Load = Callable[[Connection, Visit, Page], list[Row[Any]]]


async def _timeline(
    request: web.Request, load: _Load, *, heading: str, empty: str, compose: bool = False
) -> web.Response:
    page = Page(_POSTS, max_id=page_number(request))

    def work(tx: Connection, visit: Visit) -> tuple[list[StatusView], str]:
        rows = load(tx, visit, page)
        # Paged by the rows: of a boost whose post is gone there is a row, but nothing to show.
        next_page = more(request, rows[-1].id) if len(rows) == _POSTS else ""
        return loading.statuses(tx, rows, visit.me.id), next_page

    visit, (views, next_page) = await read(request, work)
    return render.page(
        visit,
        "timeline.html",
        heading=heading,
        draft=writing.empty_draft(visit) if compose and page.max_id is None else None,
        problem="",
        views=views,
        older=next_page,
        empty=empty,
    )


@routes.get("/notifications")
async def told(request: web.Request) -> web.Response:
    """What others did with the visitor's posts, and who follows. Reading marks nothing: a GET changes nothing."""
    page = Page(_NOTIFICATIONS, max_id=page_number(request))

    def work(tx: Connection, visit: Visit) -> tuple[list[NotificationView], int, str]:
        rows = notifications.page(tx, visit.me.id, page)
        marker = notifications.get_markers(tx, visit.me.id).get("notifications")
        next_page = more(request, rows[-1].id) if len(rows) == _NOTIFICATIONS else ""
        return loading.notifications(tx, rows, visit.me.id), marker.last_read_id if marker else 0, next_page

    visit, (views, last_read, next_page) = await read(request, work)
    return render.page(
        visit,
        "notifications.html",
        views=views,
        read=last_read,
        newest=views[0].notification.id if views else 0,
        older=next_page,
    )


@routes.post("/notifications/read")
async def mark_read(request: web.Request) -> web.Response:
    """The notifications up to the newest that was shown are read."""
    last = (await form(request)).id("last") or 0

    def work(tx: Connection, visit: Visit) -> None:
        notifications.set_marker(tx, visit.me.id, "notifications", last, now=visit.now)

    await write(request, work)
    return see_other("/notifications")


@routes.get("/requests")
async def requests(request: web.Request) -> web.Response:
    """Who asks to follow the visitor."""
    page = Page(_PEOPLE, max_id=page_number(request))

    def work(tx: Connection, visit: Visit) -> tuple[list[Row[Any]], list[tuple[int, int]]]:
        pairs = relations.requests_page(tx, visit.me.id, page)
        return loading.in_order(tx, [other for _, other in pairs]), pairs

    visit, (people, pairs) = await read(request, work)
    return render.page(
        visit,
        "people.html",
        heading="Requests to follow you",
        tabs=None,
        actors=people,
        requests=True,
        empty="Nobody is waiting.",
        older=more(request, pairs[-1][0]) if len(pairs) == _PEOPLE else "",
    )
