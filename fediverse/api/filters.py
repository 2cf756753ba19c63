"""Filters: what is warned of, blurred or left out where statuses are shown to the actor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import entities, filters, params, statuses
from fediverse.api import respond
from fediverse.api.respond import Call, path_id
from fediverse.clock import SECOND, Instant
from fediverse.errors import Invalid
from fediverse.filters import Changes, KeywordChange
from fediverse.params import Params

routes = web.RouteTableDef()
_READ: Final = "read:filters"
_WRITE: Final = "write:filters"
_TEN_YEARS: Final = 10 * 366 * 24 * 3600
_MAX_KEYWORDS: Final = 100
_MAX_CONTEXTS: Final = 20


def read_changes(sent: Params, now: Instant, *, action: str | None) -> Changes:
    """What the parameters make of a filter; an expiry that is sent empty ends it."""
    seconds = sent.integer("expires_in", 0, low=0, high=_TEN_YEARS)
    return Changes(
        title=sent.optional("title"),
        contexts=sent.words("context", most=_MAX_CONTEXTS) if sent.has("context") else None,
        action=action,
        expires=sent.sent("expires_in"),
        expires_at=now + seconds * SECOND if seconds else None,
    )


def _read_keyword(sent: Params) -> KeywordChange:
    return KeywordChange(
        id=sent.id("id"),
        keyword=sent.optional("keyword"),
        whole_word=sent.flag("whole_word") if sent.has("whole_word") else None,
        destroy=sent.flag("_destroy"),
    )


def _read_keywords(sent: Params) -> list[KeywordChange]:
    return [_read_keyword(one) for one in sent.objects("keywords_attributes", most=_MAX_KEYWORDS)]


async def _read(request: web.Request, work: Callable[[Connection, Call], Any]) -> web.Response:
    return await respond.read(request, work, scope=_READ)


async def _write(request: web.Request, work: Callable[[Connection, Call], Any]) -> web.Response:
    return await respond.write(request, work, scope=_WRITE)


@routes.get("/api/v2/filters")
async def index(request: web.Request) -> web.Response:
    """All filters of the actor."""
    return await _read(request, lambda tx, call: [entities.filter_(view) for view in filters.all_of(tx, call.actor_id)])


@routes.post("/api/v2/filters")
async def create(request: web.Request) -> web.Response:
    """The actor has one filter more."""
    sent = await params.read(request)
    keywords = _read_keywords(sent)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        changes = read_changes(sent, call.now, action=sent.text("filter_action") or None)
        return entities.filter_(filters.create(tx, call.actor_id, changes, keywords, now=call.now))

    return await _write(request, work)


@routes.get("/api/v2/filters/{id}")
async def show(request: web.Request) -> web.Response:
    """One filter of the actor's."""
    filter_id = path_id(request)
    return await _read(request, lambda tx, call: entities.filter_(filters.get(tx, call.actor_id, filter_id)))


@routes.put("/api/v2/filters/{id}")
async def change(request: web.Request) -> web.Response:
    """The filter is as the parameters say; what is not named stays."""
    filter_id = path_id(request)
    sent = await params.read(request)
    keywords = _read_keywords(sent)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        changes = read_changes(sent, call.now, action=sent.text("filter_action") or None)
        return entities.filter_(filters.change(tx, call.actor_id, filter_id, changes, keywords))

    return await _write(request, work)


@routes.delete("/api/v2/filters/{id}")
async def delete(request: web.Request) -> web.Response:
    """The filter is gone."""
    filter_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        filters.delete(tx, call.actor_id, filter_id)
        return {}

    return await _write(request, work)


@routes.get("/api/v2/filters/{filter_id}/keywords")
async def keywords(request: web.Request) -> web.Response:
    """What a filter of the actor's looks for."""
    filter_id = path_id(request, "filter_id")

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        return [entities.filter_keyword(row) for row in filters.get(tx, call.actor_id, filter_id).keywords]

    return await _read(request, work)


@routes.post("/api/v2/filters/{filter_id}/keywords")
async def add_keyword(request: web.Request) -> web.Response:
    """The filter looks for one keyword more."""
    filter_id = path_id(request, "filter_id")
    sent = await params.read(request)
    keyword, whole_word = sent.text("keyword"), sent.flag("whole_word", default=True)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        row = filters.add_keyword(tx, call.actor_id, filter_id, keyword, whole_word=whole_word)
        return entities.filter_keyword(row)

    return await _write(request, work)


@routes.get("/api/v2/filters/keywords/{id}")
async def show_keyword(request: web.Request) -> web.Response:
    """One keyword of one of the actor's filters."""
    keyword_id = path_id(request)
    return await _read(
        request, lambda tx, call: entities.filter_keyword(filters.get_keyword(tx, call.actor_id, keyword_id))
    )


@routes.put("/api/v2/filters/keywords/{id}")
async def change_keyword(request: web.Request) -> web.Response:
    """The keyword is another one, or looked for otherwise."""
    keyword_id = path_id(request)
    sent = await params.read(request)
    whole_word = sent.flag("whole_word") if sent.has("whole_word") else None
    wanted = KeywordChange(keyword_id, sent.optional("keyword"), whole_word)
    return await _write(
        request, lambda tx, call: entities.filter_keyword(filters.change_keyword(tx, call.actor_id, wanted))
    )


@routes.delete("/api/v2/filters/keywords/{id}")
async def delete_keyword(request: web.Request) -> web.Response:
    """The keyword is looked for no longer."""
    keyword_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        filters.delete_keyword(tx, call.actor_id, keyword_id)
        return {}

    return await _write(request, work)


@routes.get("/api/v2/filters/{filter_id}/statuses")
async def named_statuses(request: web.Request) -> web.Response:
    """The statuses that a filter of the actor's names."""
    filter_id = path_id(request, "filter_id")

    def work(tx: Connection, call: Call) -> list[dict[str, str]]:
        return [entities.filter_status(row) for row in filters.get(tx, call.actor_id, filter_id).statuses]

    return await _read(request, work)


@routes.post("/api/v2/filters/{filter_id}/statuses")
async def add_status(request: web.Request) -> web.Response:
    """The filter names one status more."""
    filter_id = path_id(request, "filter_id")
    status_id = (await params.read(request)).id("status_id")

    def work(tx: Connection, call: Call) -> dict[str, str]:
        filters.get(tx, call.actor_id, filter_id)
        if status_id is None:
            raise Invalid("Say in “status_id” which status the filter is to name.")
        status = statuses.get_visible(tx, status_id, call.actor_id)
        return entities.filter_status(filters.add_status(tx, call.actor_id, filter_id, status.id))

    return await _write(request, work)


@routes.get("/api/v2/filters/statuses/{id}")
async def show_status(request: web.Request) -> web.Response:
    """One status that one of the actor's filters names, by the id of that entry."""
    entry_id = path_id(request)
    return await _read(
        request, lambda tx, call: entities.filter_status(filters.get_status(tx, call.actor_id, entry_id))
    )


@routes.delete("/api/v2/filters/statuses/{id}")
async def delete_status(request: web.Request) -> web.Response:
    """The filter does not name the status any more."""
    entry_id = path_id(request)
    return await _write(
        request, lambda tx, call: entities.filter_status(filters.delete_status(tx, call.actor_id, entry_id))
    )
