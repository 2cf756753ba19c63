"""The search box: people, hashtags and posts known here, and whatever a handle or an address names anywhere."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import loading, search, statuses
from fediverse.entities import StatusView
from fediverse.errors import Invalid
from fediverse.web import render
from fediverse.web.following import find_page, is_handle
from fediverse.web.limits import check_look_up
from fediverse.web.visit import Visit, read, see_other

routes = web.RouteTableDef()

_FOUND: Final = 20
_LONGEST: Final = 2000


@routes.get("/search")
async def find(request: web.Request) -> web.Response:
    """What the words find; a handle or an address leads straight to its page."""
    words = request.query.get("q", "").strip()[:_LONGEST]
    problem = ""
    if is_handle(words):
        visit, _ = await read(request, lambda _tx, visit: visit.me, full=False)
        check_look_up(request)
        path = await find_page(request, visit, words)
        if path is not None:
            return see_other(path)
        problem = "Nothing was found there. Check the spelling; the other server may also be away just now."

    def work(tx: Connection, visit: Visit) -> dict[str, Any]:
        me = visit.me  # searching is for those who are signed in
        if not words or problem:
            return {"actors": [], "tags": [], "views": []}
        people = [] if words.startswith("#") else search.accounts(tx, visit.urls, words, limit=_FOUND, viewer_id=me.id)
        tagged = (
            []
            if words.startswith("@") or " " in words
            else statuses.tags_named(tx, words.removeprefix("#"), limit=_FOUND)
        )
        return {"actors": people, "tags": tagged, "views": _posts(tx, visit, words)}

    visit, found = await read(request, work)
    return render.page(visit, "search.html", query=words, problem=problem, **found)


def _posts(tx: Connection, visit: Visit, words: str) -> list[StatusView]:
    """The newest posts with the words; none where they are no search for posts."""
    try:
        query = search.parse(words)
    except Invalid:
        return []
    if query.is_empty:
        return []
    part = search.Slice(limit=_FOUND)
    heads = search.posts(tx, visit.urls, query, part, viewer_id=visit.me.id, now=visit.now)
    return loading.statuses(tx, heads, visit.me.id)
