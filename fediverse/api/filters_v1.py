"""Filters as older clients know them: one keyword is one filter. The same rows as in the present API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import entities, filters, params
from fediverse.api import respond
from fediverse.api.filters import read_changes
from fediverse.api.respond import Call, path_id
from fediverse.errors import Invalid
from fediverse.filters import Changes, KeywordChange
from fediverse.params import Params

routes = web.RouteTableDef()
_READ: Final = "read:filters"
_WRITE: Final = "write:filters"
_MAX_TITLE: Final = 256


def _changes(sent: Params, call: Call, *, default: str | None) -> Changes:
    action = ("hide" if sent.flag("irreversible") else "warn") if sent.has("irreversible") else default
    # The older API has no titles: the phrase is one, as far as it fits.
    return replace(read_changes(sent, call.now, action=action), title=sent.text("phrase")[:_MAX_TITLE])


def _shown(tx: Connection, call: Call, keyword_id: int) -> dict[str, Any]:
    keyword = filters.get_keyword(tx, call.actor_id, keyword_id)
    return entities.filter_v1(keyword, filters.get(tx, call.actor_id, keyword.filter_id).filter)


@routes.get("/api/v1/filters")
async def index(request: web.Request) -> web.Response:
    """All keywords of all filters of the actor."""

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        mine = filters.all_of(tx, call.actor_id)
        return [entities.filter_v1(keyword, view.filter) for view in mine for keyword in view.keywords]

    return await respond.read(request, work, scope=_READ)


@routes.post("/api/v1/filters")
async def create(request: web.Request) -> web.Response:
    """The actor has one filter more, with one keyword."""
    sent = await params.read(request)
    keyword = KeywordChange(keyword=sent.text("phrase"), whole_word=sent.flag("whole_word"))

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        view = filters.create(tx, call.actor_id, _changes(sent, call, default="warn"), [keyword], now=call.now)
        return entities.filter_v1(view.keywords[0], view.filter)

    return await respond.write(request, work, scope=_WRITE)


@routes.get("/api/v1/filters/{id}")
async def show(request: web.Request) -> web.Response:
    """One keyword of the actor's filters."""
    keyword_id = path_id(request)
    return await respond.read(request, lambda tx, call: _shown(tx, call, keyword_id), scope=_READ)


@routes.put("/api/v1/filters/{id}")
async def change(request: web.Request) -> web.Response:
    """The keyword is another one; its filter, when it has no other, applies elsewhere or otherwise."""
    keyword_id = path_id(request)
    sent = await params.read(request)
    whole_word = sent.flag("whole_word") if sent.has("whole_word") else None
    wanted = KeywordChange(keyword_id, sent.optional("phrase"), whole_word)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        keyword = filters.change_keyword(tx, call.actor_id, wanted)
        before = filters.get(tx, call.actor_id, keyword.filter_id)
        changes = replace(_changes(sent, call, default=None), title=None)
        row = before.filter
        differs = any(value != getattr(row, name) for name, value in changes.values().items())
        if differs and len(before.keywords) > 1:
            raise Invalid("This filter has several keywords: change it with a newer application.")
        if differs:
            filters.change(tx, call.actor_id, row.id, changes)
        return _shown(tx, call, keyword_id)

    return await respond.write(request, work, scope=_WRITE)


@routes.delete("/api/v1/filters/{id}")
async def delete(request: web.Request) -> web.Response:
    """The keyword is looked for no longer; a filter that then looks for nothing is gone."""
    keyword_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        keyword = filters.get_keyword(tx, call.actor_id, keyword_id)
        view = filters.get(tx, call.actor_id, keyword.filter_id)
        if len(view.keywords) == 1 and not view.statuses:
            filters.delete(tx, call.actor_id, view.filter.id)
        else:
            filters.delete_keyword(tx, call.actor_id, keyword_id)
        return {}

    return await respond.write(request, work, scope=_WRITE)
