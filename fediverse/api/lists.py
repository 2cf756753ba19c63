"""Lists of some of those whom the actor follows, and what they show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import entities, lists, params, timelines
from fediverse.api import accounts, listings, respond
from fediverse.api.paging import ACCOUNTS, page_of
from fediverse.api.respond import Call, Listing, path_id
from fediverse.params import query

routes = web.RouteTableDef()
_READ: Final = "read:lists"
_WRITE: Final = "write:lists"
_AT_ONCE: Final = 1000
_ALL: Final = 1_000_000


@routes.get("/api/v1/lists")
async def index(request: web.Request) -> web.Response:
    """All lists of the actor."""

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        return [entities.list_(row) for row in lists.all_of(tx, call.actor_id)]

    return await respond.read(request, work, scope=_READ)


@routes.post("/api/v1/lists")
async def create(request: web.Request) -> web.Response:
    """The actor has one list more."""
    sent = await params.read(request)
    title, policy, exclusive = sent.text("title"), sent.text("replies_policy") or "list", sent.flag("exclusive")

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        row = lists.create(tx, call.actor_id, title=title, replies_policy=policy, exclusive=exclusive, now=call.now)
        return entities.list_(row)

    return await respond.write(request, work, scope=_WRITE)


@routes.get("/api/v1/lists/{id}")
async def show(request: web.Request) -> web.Response:
    """One list of the actor's."""
    list_id = path_id(request)
    return await respond.read(
        request, lambda tx, call: entities.list_(lists.get(tx, call.actor_id, list_id)), scope=_READ
    )


@routes.put("/api/v1/lists/{id}")
async def change(request: web.Request) -> web.Response:
    """The list is as the parameters say; what is not named stays."""
    list_id = path_id(request)
    sent = await params.read(request)
    title, policy = sent.optional("title"), sent.optional("replies_policy")
    exclusive = sent.flag("exclusive") if sent.has("exclusive") else None

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        row = lists.change(tx, call.actor_id, list_id, title=title, replies_policy=policy, exclusive=exclusive)
        return entities.list_(row)

    return await respond.write(request, work, scope=_WRITE)


@routes.delete("/api/v1/lists/{id}")
async def delete(request: web.Request) -> web.Response:
    """The list is gone."""
    list_id = path_id(request)
    return await _write(request, lambda tx, call: lists.remove(tx, call.actor_id, list_id))


@routes.get("/api/v1/lists/{id}/accounts")
async def members(request: web.Request) -> web.Response:
    """Who is on the list; all of them with a limit of 0."""
    list_id, asked = path_id(request), query(request)
    page = page_of(asked, ACCOUNTS)
    if asked.has("limit") and asked.integer("limit", 1, low=0, high=1) == 0:
        page = replace(page, limit=_ALL)

    def work(tx: Connection, call: Call) -> Listing:
        row = lists.get(tx, call.actor_id, list_id)
        return listings.accounts(tx, lists.members_page(tx, row.id, page), call)

    return await respond.read(request, work, scope=_READ)


@routes.post("/api/v1/lists/{id}/accounts")
async def add_members(request: web.Request) -> web.Response:
    """These accounts are on the list, too."""
    list_id, member_ids = path_id(request), (await params.read(request)).ids("account_ids", most=_AT_ONCE)
    return await _write(request, lambda tx, call: lists.add_members(tx, call.actor_id, list_id, member_ids))


@routes.delete("/api/v1/lists/{id}/accounts")
async def remove_members(request: web.Request) -> web.Response:
    """These accounts are not on the list."""
    list_id, member_ids = path_id(request), (await params.read(request)).ids("account_ids", most=_AT_ONCE)
    return await _write(request, lambda tx, call: lists.remove_members(tx, call.actor_id, list_id, member_ids))


@routes.get("/api/v1/accounts/{id}/lists")
async def holding(request: web.Request) -> web.Response:
    """Those of the actor's lists that the account is on."""
    account_id = path_id(request)

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        account = accounts.find(tx, account_id)
        return [entities.list_(row) for row in lists.holding(tx, call.actor_id, account.id)]

    return await respond.read(request, work, scope=_READ)


@routes.get("/api/v1/timelines/list/{list_id}")
async def timeline(request: web.Request) -> web.Response:
    """What those on the list post."""
    list_id, page = path_id(request, "list_id"), page_of(query(request))

    def work(tx: Connection, call: Call) -> Listing:
        row = lists.get(tx, call.actor_id, list_id)
        return listings.timeline(
            tx, page, lambda page: timelines.list_(tx, row, page, now=call.now), call, context="home"
        )

    return await respond.read(request, work, scope=_READ)


async def _write(request: web.Request, act: Callable[[Connection, Call], object]) -> web.Response:
    """``act`` is done; the answer is an empty object."""

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        act(tx, call)
        return {}

    return await respond.write(request, work, scope=_WRITE)
