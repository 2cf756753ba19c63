"""Uploads: files that will belong to a post, until one takes them."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import entities, keys, slowness
from fediverse.access import Credentials
from fediverse.api import attaching, respond
from fediverse.api.limits import count_file
from fediverse.api.receiving import receive
from fediverse.api.respond import Call, path_id
from fediverse.decoding import limits
from fediverse.errors import Invalid
from fediverse.media import attachments, uploads

routes = web.RouteTableDef()

_SCOPE: Final = "write:media"
# The largest file by a slow line; callers are known by then.
_BODY_SECONDS: Final = 10 * 60.0
# As long as proxies wait for an answer.
_WAIT_SECONDS: Final = 50.0
_POLL_SECONDS: Final = 0.25
_FILES: Final = {"file": limits.CLIP_BYTES, "thumbnail": limits.PICTURE_BYTES}


@routes.post("/api/v2/media")
async def create(request: web.Request) -> web.Response:
    """The file that was sent is here: 200 for a picture, 202 for what is still to be processed."""
    row = await _uploaded(request)
    return _answer(request, row, status=200 if row.state == "ready" else 202)


@routes.post("/api/v1/media")
async def create_and_wait(request: web.Request) -> web.Response:
    """The same, answered once the file is processed; 202 for one that takes too long for that."""
    row = await _uploaded(request)
    until = time.monotonic() + _WAIT_SECONDS
    while row.state == "processing" and time.monotonic() < until:
        await asyncio.sleep(_POLL_SECONDS)
        row = await request.app[keys.DATABASE].read(attachments.get_own, row.id, row.actor_id)
    if row.state == "failed":
        raise Invalid(row.error)
    return _answer(request, row, status=200 if row.state == "ready" else 202)


@routes.get("/api/v1/media/{id}")
async def show(request: web.Request) -> web.Response:
    """An own file: 206 while it is processed, 422 with the reason when that failed."""
    attachment_id = path_id(request)
    states: list[str] = []

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        row = attachments.get_own(tx, attachment_id, call.actor_id)
        if row.state == "failed":
            raise Invalid(row.error)
        states.append(row.state)
        return _entity(row, call)

    response = await respond.read(request, work, scope=_SCOPE)
    if states == ["processing"]:
        response.set_status(206)
    return response


@routes.put("/api/v1/media/{id}")
async def change(request: web.Request) -> web.Response:
    """An own file that no post has yet is described anew, and shows another thumbnail."""
    attachment_id = path_id(request)
    credentials = await _caller(request)
    database, store = request.app[keys.DATABASE], request.app[keys.PICTURES]
    attachments.check_loose(await database.read(attachments.get_own, attachment_id, credentials.actor_id))
    with uploads.workplace(request.app[keys.SETTINGS].workplace) as place:
        sent, files = await receive(request, place, {"thumbnail": limits.PICTURE_BYTES})
        description, focus = attaching.description(sent), attaching.focus(sent)
        preview = None
        if "thumbnail" in files:
            count_file(request, credentials.actor_id)
            preview = await uploads.store_preview(store, files["thumbnail"])

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        row = attachments.get_own(tx, attachment_id, call.actor_id)
        attachments.check_loose(row)
        return _entity(attachments.change(tx, row, description=description, focus=focus, preview=preview), call)

    return await respond.write(request, work, scope=_SCOPE)


@routes.delete("/api/v1/media/{id}")
async def delete(request: web.Request) -> web.Response:
    """An own file that no post has is gone."""
    attachment_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        attachments.discard(tx, attachments.get_own(tx, attachment_id, call.actor_id))
        return {}

    return await respond.write(request, work, scope=_SCOPE)


async def _uploaded(request: web.Request) -> Row[Any]:
    credentials = await _caller(request)
    count_file(request, credentials.actor_id)
    slowness.take_longer(request, _BODY_SECONDS)
    with uploads.workplace(request.app[keys.SETTINGS].workplace) as place:
        sent, files = await receive(request, place, _FILES)
        if "file" not in files:
            raise Invalid("There is no file in this request. Send it as “file” of a multipart form.")
        return await uploads.store_upload(
            request.app[keys.DATABASE],
            request.app[keys.PICTURES],
            files["file"],
            actor_id=credentials.actor_id,
            thumbnail=files.get("thumbnail"),
            description=attaching.description(sent) or "",
            focus=attaching.focus(sent),
        )


async def _caller(request: web.Request) -> Credentials:
    """Who calls, known before anything of the body is read: nobody has files taken in who may not."""
    token = respond.require_token(request)
    return await request.app[keys.DATABASE].read(respond.authorise, token, _SCOPE)


def _entity(row: Row[Any], call: Call) -> dict[str, Any]:
    return entities.own_attachment(attachments.draft(row), row, call.site)


def _answer(request: web.Request, row: Row[Any], *, status: int) -> web.Response:
    entity = entities.own_attachment(attachments.draft(row), row, request.app[keys.SITE])
    return respond.json(entity, status=status)
