"""What is talked about just now."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import entities, trends
from fediverse.api import listings, respond
from fediverse.api.respond import Call
from fediverse.params import query

routes = web.RouteTableDef()

_TAGS: Final = (10, 20)
_STATUSES: Final = (20, 40)
_LINKS: Final = (10, 20)
_OFFSET: Final = 10_000


def _part(request: web.Request, size: tuple[int, int]) -> tuple[int, int]:
    asked = query(request)
    return asked.integer("limit", size[0], low=1, high=size[1]), asked.integer("offset", 0, low=0, high=_OFFSET)


@routes.get("/api/v1/trends")
@routes.get("/api/v1/trends/tags")
async def tags(request: web.Request) -> web.Response:
    """Hashtags that many use just now."""
    limit, offset = _part(request, _TAGS)

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        return listings.tags(tx, trends.tags_shown(tx, limit=limit, offset=offset), call)

    return await respond.read(request, work, scope="", anonymous=True)


@routes.get("/api/v1/trends/statuses")
async def statuses(request: web.Request) -> web.Response:
    """Posts that many like just now."""
    limit, offset = _part(request, _STATUSES)

    def work(tx: Connection, call: Call) -> list[Any]:
        heads = trends.statuses_shown(tx, limit=limit, offset=offset, viewer_id=call.viewer_id, now=call.now)
        return list(listings.statuses(tx, heads, call).items)

    return await respond.read(request, work, scope="", anonymous=True)


@routes.get("/api/v1/trends/links")
async def links(request: web.Request) -> web.Response:
    """Pages that many link to just now."""
    limit, offset = _part(request, _LINKS)

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        rows = trends.links_shown(tx, limit=limit, offset=offset)
        return [{**entities.card(row, call.site), "history": entities.days(row.history)} for row in rows]

    return await respond.read(request, work, scope="", anonymous=True)
