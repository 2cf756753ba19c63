"""Trends for moderators: also those that are not shown yet; allowed and refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import entities, loading, moderation, statuses, trends
from fediverse.admin.accounts import Staff
from fediverse.api import listings
from fediverse.api.admin import gate
from fediverse.api.respond import NOT_FOUND, Call
from fediverse.errors import NotFound
from fediverse.params import query, read_id
from fediverse.roles import Permission
from fediverse.trends import Kind, Reviewed

routes = web.RouteTableDef()

_MAY: Final = Permission.MANAGE_TAXONOMIES
_SIZE: Final = (20, 100)
_OFFSET: Final = 10_000

_Show = Callable[[Connection, Sequence[Reviewed], Call], list[dict[str, Any]]]


def _tags(tx: Connection, found: Sequence[Reviewed], call: Call) -> list[dict[str, Any]]:
    rows = {row.id: row for row in trends.tag_rows(tx, [one.subject_id for one in found])}
    there = [one for one in found if one.subject_id in rows]
    shown = listings.tags(tx, [rows[one.subject_id] for one in there], call)
    return [
        {
            **entity,
            "id": str(one.subject_id),
            "trendable": one.allowed is not False,
            "usable": True,
            "requires_review": one.allowed is None,
        }
        for entity, one in zip(shown, there, strict=True)
    ]


def _statuses(tx: Connection, found: Sequence[Reviewed], call: Call) -> list[dict[str, Any]]:
    rows = statuses.by_ids(tx, [one.subject_id for one in found])
    there = [one for one in found if one.subject_id in rows]
    views = loading.statuses(tx, [rows[one.subject_id] for one in there], call.viewer_id, now=call.now)
    verdicts = {one.subject_id: one.allowed is None for one in there}
    return [
        {**entities.status(view, call.site, call.viewer_id), "requires_review": verdicts[view.status.id]}
        for view in views
    ]


def _links(tx: Connection, found: Sequence[Reviewed], call: Call) -> list[dict[str, Any]]:
    rows = {row.id: row for row in trends.card_rows(tx, [one.subject_id for one in found])}
    return [
        {
            **entities.card(rows[one.subject_id], call.site),
            "history": entities.days(one.history),
            "id": str(one.subject_id),
            "requires_review": one.allowed is None,
        }
        for one in found
        if one.subject_id in rows
    ]


async def _list(request: web.Request, kind: Kind, show: _Show) -> web.Response:
    asked = query(request)
    limit = asked.integer("limit", _SIZE[0], low=1, high=_SIZE[1])
    offset = asked.integer("offset", 0, low=0, high=_OFFSET)

    def work(tx: Connection, call: Call, _staff: Staff) -> list[dict[str, Any]]:
        return show(tx, trends.all_of_kind(tx, kind, limit=limit, offset=offset), call)

    return await gate.read(request, work, scope="admin:read", permission=_MAY)


async def _review(request: web.Request, kind: Kind, show: _Show, *, allowed: bool) -> web.Response:
    named = request.match_info["id"]

    def work(tx: Connection, call: Call, staff: Staff) -> dict[str, Any]:
        subject_id = tag_id(tx, named) if kind == "tag" else read_id(named)
        found = [Reviewed(subject_id, allowed, trends.no_history(call.now))] if subject_id is not None else []
        shown = show(tx, found, call)
        if subject_id is None or not shown:
            raise NotFound(NOT_FOUND)
        trends.review(tx, kind, subject_id, allowed=allowed, now=call.now)
        action = f"trend.{'approve' if allowed else 'reject'}"
        moderation.audit(tx, staff.person_id, action=action, target=f"{kind} {named}"[:200], now=call.now)
        return shown[0]

    return await gate.write(request, work, scope="admin:write", permission=_MAY)


def tag_id(tx: Connection, named: str) -> int | None:
    """The hashtag that is named, by its name (the public API's id of it) or by the id that moderators see."""
    row: Row[Any] | None = statuses.find_tag(tx, named, hidden=True)
    return int(row.id) if row is not None else read_id(named)


@routes.get("/api/v1/admin/trends/tags")
async def tags(request: web.Request) -> web.Response:
    """Hashtags that are talked about, reviewed or not."""
    return await _list(request, "tag", _tags)


@routes.post("/api/v1/admin/trends/tags/{id}/approve")
async def approve_tag(request: web.Request) -> web.Response:
    """The hashtag may be shown as a trend."""
    return await _review(request, "tag", _tags, allowed=True)


@routes.post("/api/v1/admin/trends/tags/{id}/reject")
async def reject_tag(request: web.Request) -> web.Response:
    """The hashtag is never shown as a trend."""
    return await _review(request, "tag", _tags, allowed=False)


@routes.get("/api/v1/admin/trends/statuses")
async def posts(request: web.Request) -> web.Response:
    """Posts that are talked about, reviewed or not."""
    return await _list(request, "status", _statuses)


@routes.post("/api/v1/admin/trends/statuses/{id}/approve")
async def approve_post(request: web.Request) -> web.Response:
    """The post may be shown as a trend."""
    return await _review(request, "status", _statuses, allowed=True)


@routes.post("/api/v1/admin/trends/statuses/{id}/reject")
async def reject_post(request: web.Request) -> web.Response:
    """The post is never shown as a trend."""
    return await _review(request, "status", _statuses, allowed=False)


@routes.get("/api/v1/admin/trends/links")
async def links(request: web.Request) -> web.Response:
    """Pages that are talked about, reviewed or not."""
    return await _list(request, "link", _links)


@routes.post("/api/v1/admin/trends/links/{id}/approve")
async def approve_link(request: web.Request) -> web.Response:
    """The page may be shown as a trend."""
    return await _review(request, "link", _links, allowed=True)


@routes.post("/api/v1/admin/trends/links/{id}/reject")
async def reject_link(request: web.Request) -> web.Response:
    """The page is never shown as a trend."""
    return await _review(request, "link", _links, allowed=False)
