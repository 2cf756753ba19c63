"""Posts that wait for their time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from fediverse import entities, params, scheduled
from fediverse.api import respond
from fediverse.api.paging import STATUSES, page_of
from fediverse.api.respond import Call, Listing, path_id
from fediverse.clock import Instant, from_datetime
from fediverse.errors import Invalid
from fediverse.params import Params, query

routes = web.RouteTableDef()


@routes.get("/api/v1/scheduled_statuses")
async def index(request: web.Request) -> web.Response:
    """The signed-in actor's waiting posts."""
    page = page_of(query(request), STATUSES)

    def work(tx: Connection, call: Call) -> Listing:
        rows = scheduled.page(tx, call.actor_id, page)
        return Listing([entities.scheduled_status(row, call.site) for row in rows], [row.id for row in rows])

    return await respond.read(request, work, scope="read:statuses")


@routes.get("/api/v1/scheduled_statuses/{id}")
async def show(request: web.Request) -> web.Response:
    """One of the signed-in actor's waiting posts."""
    scheduled_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        return entities.scheduled_status(scheduled.get_own(tx, scheduled_id, call.actor_id), call.site)

    return await respond.read(request, work, scope="read:statuses")


@routes.put("/api/v1/scheduled_statuses/{id}")
async def move(request: web.Request) -> web.Response:
    """The waiting post has another time."""
    scheduled_id = path_id(request)
    at = read_time(await params.read(request))

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        row = scheduled.move(tx, scheduled_id, call.actor_id, at=at, now=call.now)
        return entities.scheduled_status(row, call.site)

    return await respond.write(request, work, scope="write:statuses")


@routes.delete("/api/v1/scheduled_statuses/{id}")
async def cancel(request: web.Request) -> web.Response:
    """The waiting post is gone."""
    scheduled_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        scheduled.cancel(tx, scheduled_id, call.actor_id)
        return {}

    return await respond.write(request, work, scope="write:statuses")


def read_time(sent: Params) -> Instant | None:
    """``scheduled_at``, in UTC where it names no zone; None when it was not sent. Raises Invalid for no time."""
    word = sent.text("scheduled_at").strip()
    if not word:
        return None
    try:
        moment = datetime.fromisoformat(word[:64].upper())
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return from_datetime(aware.astimezone(UTC))
    except (ValueError, OverflowError):  # also of a time that in UTC is past the year 9999
        raise Invalid("“scheduled_at” is a time such as 2030-01-31T12:00:00Z.") from None
