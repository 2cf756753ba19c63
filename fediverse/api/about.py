"""What the instance says of itself beside its name: its texts, its languages, its peers, how busy it is."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Any, Final

import orjson
from aiohttp import web
from sqlalchemy import Connection

from fediverse import clock, entities, instance, keys, moderation, usage
from fediverse.api import respond
from fediverse.api.respond import NOT_FOUND, Call
from fediverse.errors import NotFound, Unauthorized
from fediverse.instance import InstanceText, TextName
from fediverse.limited import Expiring, SingleFlight
from fediverse.text.languages import LANGUAGES

routes = web.RouteTableDef()

_KEPT_SECONDS: Final = 300.0
_PUBLIC: Final = {"Cache-Control": "public, max-age=300"}


class _Kept:
    """What is counted over whole tables: counted every five minutes at most, once for all who ask."""

    def __init__(self) -> None:
        self._answers: Expiring[str, bytes] = Expiring(8, _KEPT_SECONDS)
        self._flights: SingleFlight[str, bytes] = SingleFlight()

    async def answer(self, request: web.Request, count: Callable[[Connection], Any]) -> web.Response:
        """What ``count`` found for the path of the request."""
        path = request.path.rstrip("/")
        body = self._answers.get(path)
        if body is None:
            body = await self._flights.do(path, lambda: self._count(request, path, count))
        return respond.json_bytes(body, headers=dict(_PUBLIC))

    async def _count(self, request: web.Request, path: str, count: Callable[[Connection], Any]) -> bytes:
        body = orjson.dumps(await request.app[keys.DATABASE].read(count))
        self._answers.put(path, body)
        return body


_KEPT: web.AppKey[_Kept] = web.AppKey("kept_counts")


async def means(app: web.Application) -> AsyncIterator[None]:
    """Counts are kept per application."""
    app[_KEPT] = _Kept()
    yield


@routes.get("/api/v1/instance/peers")
async def peers(request: web.Request) -> web.Response:
    """The other servers that are known here."""
    return await request.app[_KEPT].answer(request, usage.peers)


@routes.get("/api/v1/instance/activity")
async def activity(request: web.Request) -> web.Response:
    """What went on here in the last twelve weeks."""
    now = clock.now()
    return await request.app[_KEPT].answer(request, lambda tx: [entities.week(w) for w in usage.weeks(tx, now=now)])


@routes.get("/api/v1/instance/domain_blocks")
async def domain_blocks(request: web.Request) -> web.Response:
    """The servers that are refused or limited here, if the instance shows that to whoever asks."""

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        shown_to = instance.get(tx).domain_blocks
        if shown_to == "nobody":
            raise NotFound(NOT_FOUND)
        if shown_to == "users" and call.viewer_id is None:
            raise Unauthorized("Sign in to see which servers are blocked here.")
        rows = [row for row in moderation.list_hosts(tx) if row.severity != "none"]
        return [
            entities.domain_block(row, digest=hashlib.sha256(row.host.encode()).hexdigest())
            for row in sorted(rows, key=lambda row: (row.severity != "block", row.host))
        ]

    return await respond.read(request, work, scope="", anonymous=True)


async def _text(
    request: web.Request, name: TextName, shape: Callable[[list[InstanceText]], dict[str, Any] | None]
) -> web.Response:
    def work(tx: Connection) -> dict[str, Any]:
        versions = instance.texts(tx, name)
        shown = shape(versions) if versions else None
        if shown is None:
            raise NotFound(NOT_FOUND)
        return shown

    return respond.json(await request.app[keys.DATABASE].read(work), headers=dict(_PUBLIC))


@routes.get("/api/v1/instance/extended_description")
async def extended_description(request: web.Request) -> web.Response:
    """What the instance is, at length."""
    return await _text(request, "extended_description", lambda found: entities.instance_text(found[0]))


@routes.get("/api/v1/instance/privacy_policy")
async def privacy_policy(request: web.Request) -> web.Response:
    """What becomes of what the instance knows of people."""
    return await _text(request, "privacy_policy", lambda found: entities.instance_text(found[0]))


@routes.get("/api/v1/instance/terms_of_service")
async def terms_of_service(request: web.Request) -> web.Response:
    """The terms that hold today; those that will hold first where none do yet."""
    today = clock.rfc3339(clock.now())[:10]
    return await _text(request, "terms_of_service", lambda found: entities.terms_of_service(found, today=today))


@routes.get("/api/v1/instance/terms_of_service/{date}")
async def terms_of_service_of(request: web.Request) -> web.Response:
    """The terms that hold from a day on."""
    today = clock.rfc3339(clock.now())[:10]
    try:
        day = date.fromisoformat(request.match_info["date"]).isoformat()
    except ValueError:
        raise NotFound(NOT_FOUND) from None

    def of_that_day(found: list[InstanceText]) -> dict[str, Any] | None:
        return entities.terms_of_service(found, today=today, day=day)

    return await _text(request, "terms_of_service", of_that_day)


@routes.get("/api/v1/instance/languages")
async def languages(_request: web.Request) -> web.Response:
    """The languages that a post can be said to be in."""
    return respond.json([{"code": code, "name": name} for code, name in LANGUAGES.items()], headers=dict(_PUBLIC))


@routes.get("/api/v1/instance/translation_languages")
async def translation_languages(_request: web.Request) -> web.Response:
    """From which language to which others posts are translated: this server translates nothing."""
    return respond.json({}, headers=dict(_PUBLIC))


@routes.get("/health")
async def health(_request: web.Request) -> web.Response:
    """The server answers, in the words that clients know."""
    return web.Response(text="OK")
