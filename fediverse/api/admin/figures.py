"""Measures, dimensions and retention for moderators' dashboards."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, cast

from aiohttp import web
from sqlalchemy import Connection

from fediverse import keys, params
from fediverse.admin import dimensions, figures, retention
from fediverse.admin.accounts import Staff
from fediverse.admin.dimensions import Question
from fediverse.admin.figures import Period
from fediverse.admin.retention import Frequency
from fediverse.api.admin import gate
from fediverse.api.admin.trends import tag_id
from fediverse.api.respond import Call
from fediverse.clock import DAY, Instant, from_datetime
from fediverse.entities import figures as shapes
from fediverse.errors import Invalid
from fediverse.params import Params
from fediverse.roles import Permission
from fediverse.text import fold_host

routes = web.RouteTableDef()

_MAY: Final = Permission.VIEW_DASHBOARD
_SCOPE: Final = "admin:read"
_LONGEST: Final = 366
_COHORTS: Final = {"day": 62, "month": 366 * 2}
_LIMIT: Final = (10, 100)


@routes.post("/api/v1/admin/measures")
async def measures(request: web.Request) -> web.Response:
    """How much of each of ``keys`` there was, day by day, and in the time before."""
    sent = await params.read(request)

    def work(tx: Connection, _call: Call, staff: Staff) -> list[dict[str, Any]]:
        period = _period(sent, staff.now, most=_LONGEST)
        return [
            shapes.measure(figures.measure(tx, key, _argument(tx, sent, key), period), period.days)
            for key in _keys(sent)
            if key in figures.MEASURES
        ]

    return await gate.read(request, work, scope=_SCOPE, permission=_MAY)


@routes.post("/api/v1/admin/dimensions")
async def kinds(request: web.Request) -> web.Response:
    """What there is most of, for each of ``keys``."""
    sent = await params.read(request)
    program = request.app[keys.SITE].version

    def work(tx: Connection, call: Call, staff: Staff) -> list[dict[str, Any]]:
        period = _period(sent, staff.now, most=_LONGEST)
        limit = sent.integer("limit", _LIMIT[0], low=1, high=_LIMIT[1])
        found = []
        for key in _keys(sent):
            if key in dimensions.DIMENSIONS:
                question = Question(period, limit, _argument(tx, sent, key), call.urls.domain, program)
                found.append(shapes.dimension(key, dimensions.dimension(tx, key, question)))
        return found

    return await gate.read(request, work, scope=_SCOPE, permission=_MAY)


@routes.post("/api/v1/admin/retention")
async def who_stays(request: web.Request) -> web.Response:
    """Of those who registered in a day or month, how many were here in that one and later ones."""
    sent = await params.read(request)

    def work(tx: Connection, _call: Call, staff: Staff) -> list[dict[str, Any]]:
        frequency = sent.text("frequency", "day")
        if frequency not in _COHORTS:
            raise Invalid("The frequency is day or month.")
        period = _period(sent, staff.now, most=_COHORTS[frequency])
        found = retention.cohorts(tx, period, cast(Frequency, frequency))
        return [shapes.cohort(one, frequency) for one in found]

    return await gate.read(request, work, scope=_SCOPE, permission=_MAY)


def _keys(sent: Params) -> list[str]:
    """What is asked for; what there is nothing of here is passed over."""
    return list(dict.fromkeys(sent.words("keys", most=50)))


def _argument(tx: Connection, sent: Params, key: str) -> int | str | None:
    """The hashtag or the host that a key is about. Raises Invalid when none was sent."""
    if key.startswith("tag_"):
        named = sent.object(key).text("id")
        if not named:
            raise Invalid(f"“{key}” needs the hashtag's id: {key}[id].")
        return tag_id(tx, named) or 0
    if key.startswith("instance_"):
        host = sent.object(key).text("domain")
        if not host:
            raise Invalid(f"“{key}” needs the server's name: {key}[domain].")
        return fold_host(host)
    return None


def _period(sent: Params, now: Instant, *, most: int) -> Period:
    """The days from ``start_at`` to ``end_at``, both included; the last thirty if they were not sent.

    Raises Invalid.
    """
    today = now - now % DAY
    end = _day(sent, "end_at", today)
    start = _day(sent, "start_at", end - 29 * DAY)
    if start > end:
        raise Invalid("The period ends before it begins.")
    if (end - start) // DAY >= most:
        raise Invalid(f"A period has at most {most} days here.")
    return Period(start, end + DAY)


def _day(sent: Params, name: str, default: Instant) -> Instant:
    text = sent.text(name).strip()
    if not text:
        return default
    try:
        moment = datetime.fromisoformat(text)
        instant = from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise Invalid(f"“{name}” is a day such as 2026-01-31.") from None
    if not 0 <= instant < 10**14:
        raise Invalid(f"“{name}” is too far away.")
    return instant - instant % DAY
