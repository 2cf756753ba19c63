"""Polls: as they stand, and votes."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import documents, entities, keys, loading, params, statuses
from fediverse.api import respond
from fediverse.api.respond import Call, path_id
from fediverse.clock import Instant
from fediverse.documents.polls import MAX_OPTIONS
from fediverse.drafts import Poll, PollParams
from fediverse.errors import Invalid, NotFound
from fediverse.params import Params
from fediverse.statuses import polls

routes = web.RouteTableDef()

_MOST_SECONDS = 10**9


@routes.get("/api/v1/polls/{id}")
async def show(request: web.Request) -> web.Response:
    """The poll of a status that the viewer may see; that of another server is asked after, if it is not fresh."""
    status_id, stale = path_id(request), []

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        row = _visible(tx, status_id, call.viewer_id)
        if call.viewer_id is not None and polls.is_stale(row, call.now):
            stale.append((row, call.viewer_id))
        return entities.poll(loading.status(tx, row, call.viewer_id), call.site, call.viewer_id)

    response = await respond.read(request, work, scope="read:statuses", anonymous=True)
    for row, viewer_id in stale[:1]:
        await request.app[keys.DATABASE].write(polls.refresh_later, row, viewer_id=viewer_id)
    return response


@routes.post("/api/v1/polls/{id}/votes")
async def vote(request: web.Request) -> web.Response:
    """The signed-in actor has voted."""
    status_id = path_id(request)
    choices = _choices(await params.read(request))

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        actor = call.actor(tx)
        row = _visible(tx, status_id, actor.id)
        author = loading.accounts(tx, [row.author_id])[row.author_id]
        row = polls.vote(tx, call.urls, actor, row, choices, author=author, now=call.now)
        return entities.poll(loading.status(tx, row, actor.id), call.site, actor.id)

    return await respond.write(request, work, scope="write:statuses")


def read_poll(sent: Params) -> PollParams | None:
    """The poll that a post is to have, which ``documents.new_poll`` judges; None without one."""
    if not sent.has("poll") or sent.raw("poll") in ({}, [], ""):
        return None
    wanted = sent.object("poll")
    return PollParams(
        options=wanted.words("options"),
        expires_in=wanted.integer("expires_in", 0, low=0, high=_MOST_SECONDS),
        multiple=wanted.flag("multiple"),
        hide_totals=wanted.flag("hide_totals"),
    )


def new_poll(sent: Params, *, now: Instant) -> Poll | None:
    """The poll that a post is to have, as it begins now. Raises Invalid for one that may not be asked."""
    wanted = read_poll(sent)
    return documents.new_poll(**wanted, now=now) if wanted is not None else None


def _choices(sent: Params) -> list[int]:
    found = []
    for word in sent.words("choices", most=MAX_OPTIONS):
        if not (word.isascii() and word.isdecimal()) or len(word) > 4:
            raise Invalid("“choices” is a list of the numbers of options, counted from 0.")
        found.append(int(word))
    return found


def _visible(tx: Connection, status_id: int, viewer_id: int | None) -> Row[Any]:
    row = statuses.get_visible(tx, status_id, viewer_id)
    if row.poll is None:
        raise NotFound(respond.NOT_FOUND)
    return row
