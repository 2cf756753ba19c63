"""Accounts for moderators: looked up, let in, acted against."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, cast, get_args

from aiohttp import web
from sqlalchemy import Connection

from fediverse import keys, params, roles
from fediverse.actors import people
from fediverse.admin import accounts, actions
from fediverse.admin.accounts import AccountView, Filter, Origin, Staff, Status
from fediverse.api.admin import gate
from fediverse.api.paging import page_of
from fediverse.api.respond import Call, Listing, path_id
from fediverse.caller import shown_address
from fediverse.entities.admin import admin_account
from fediverse.errors import BadRequest
from fediverse.params import Params, query
from fediverse.roles import Permission
from fediverse.site import Site
from fediverse.text import fold_host

routes = web.RouteTableDef()

_READ: Final = "admin:read:accounts"
_WRITE: Final = "admin:write:accounts"
_STATUSES: Final = get_args(Status)


def entity(view: AccountView, site: Site) -> dict[str, Any]:
    """The account as an Admin::Account."""
    return admin_account(view.actor, site, person=view.person, role=view.role, addresses=view.addresses)


def by_id(tx: Connection, actor_ids: Iterable[int], site: Site) -> dict[int, dict[str, Any]]:
    """The accounts as Admin::Accounts, by id."""
    return {actor_id: entity(view, site) for actor_id, view in accounts.views(tx, actor_ids).items()}


@routes.get("/api/v2/admin/accounts")
async def index(request: web.Request) -> web.Response:
    """Accounts by origin, status, role, names, host, e-mail address, network address."""
    return await _list(request, _filter_v2)


@routes.get("/api/v1/admin/accounts")
async def index_v1(request: web.Request) -> web.Response:
    """The same, asked for in the older way."""
    return await _list(request, _filter_v1)


async def _list(request: web.Request, read: Callable[[Params], Filter | None]) -> web.Response:
    asked = query(request)
    page = page_of(asked, gate.PAGE)

    def work(tx: Connection, call: Call, _staff: Staff) -> Listing:
        wanted = read(asked)
        if wanted is None:
            return Listing([])
        rows = accounts.page(tx, page, wanted)
        found = by_id(tx, [row.id for row in rows], call.site)
        return Listing([found[row.id] for row in rows], [row.id for row in rows])

    return await gate.read(request, work, scope=_READ, permission=Permission.MANAGE_USERS)


def _filter_v2(asked: Params) -> Filter | None:
    origin = asked.text("origin") or None
    if origin is not None and origin not in get_args(Origin):
        raise BadRequest("“origin” is local or remote.")
    status = asked.text("status") or None
    if status is not None and status not in _STATUSES:
        raise BadRequest(f"“status” is one of {', '.join(_STATUSES)}.")
    if asked.text("invited_by"):
        return None  # invitations are the house's own: nobody was invited by anybody
    wanted: list[str] | None = None
    if asked.text("permissions") == "staff":
        wanted = list(roles.STAFF)
    if asked.has("role_ids"):
        named = {name for name, id_ in roles.ROLE_IDS.items() if id_ in asked.words("role_ids")}
        wanted = sorted(named if wanted is None else named.intersection(wanted))
    return _names(asked, cast(Origin | None, origin), cast(Status | None, status), wanted)


def _filter_v1(asked: Params) -> Filter | None:
    local, remote = asked.flag("local"), asked.flag("remote")
    origin: Origin | None = None if local == remote else "local" if local else "remote"
    status = next((name for name in _STATUSES if asked.flag(name)), None)
    return _names(asked, origin, cast(Status | None, status), list(roles.STAFF) if asked.flag("staff") else None)


def _names(asked: Params, origin: Origin | None, status: Status | None, wanted: list[str] | None) -> Filter:
    host, address = asked.text("by_domain").strip(), asked.text("ip").strip()
    return Filter(
        origin=origin,
        status=status,
        roles=wanted,
        username=asked.text("username").strip().removeprefix("@"),
        name=asked.text("display_name").strip(),
        host=fold_host(host) if host else "",
        email=people.fold_email(asked.text("email")),
        address=shown_address(address) if address else "",
    )


@routes.get("/api/v1/admin/accounts/{id}")
async def show(request: web.Request) -> web.Response:
    """One account."""
    actor_id = path_id(request)

    def work(tx: Connection, call: Call, _staff: Staff) -> dict[str, Any]:
        return entity(accounts.get(tx, actor_id), call.site)

    return await gate.read(request, work, scope=_READ, permission=Permission.MANAGE_USERS)


@routes.post("/api/v1/admin/accounts/{id}/action")
async def act(request: web.Request) -> web.Response:
    """An action is taken against the account, and its person is told."""
    actor_id, sent = path_id(request), await params.read(request)

    def work(tx: Connection, _call: Call, staff: Staff) -> dict[str, Any]:
        actions.act(
            tx,
            actor_id,
            sent.text("type"),
            staff=staff,
            text=sent.text("text").strip(),
            report_id=sent.id("report_id"),
            tell=sent.flag("send_email_notification", default=True),
        )
        return {}

    return await gate.write(request, work, scope=_WRITE, permission=Permission.MANAGE_REPORTS)


async def _change(
    request: web.Request,
    change: Callable[..., None],
    *,
    permission: Permission = Permission.MANAGE_USERS,
    goes: bool = False,
) -> web.Response:
    """``change(tx, actor_id, staff=…)`` is made; answers with the account, as it was before where it ``goes``."""
    actor_id = path_id(request)

    def work(tx: Connection, call: Call, staff: Staff) -> dict[str, Any]:
        before = entity(accounts.get(tx, actor_id), call.site)
        change(tx, actor_id, staff=staff)
        return before if goes else entity(accounts.get(tx, actor_id), call.site)

    return await gate.write(request, work, scope=_WRITE, permission=permission)


@routes.post("/api/v1/admin/accounts/{id}/approve")
async def approve(request: web.Request) -> web.Response:
    """Whoever asked for the account has it."""
    return await _change(request, actions.approve)


@routes.post("/api/v1/admin/accounts/{id}/reject")
async def reject(request: web.Request) -> web.Response:
    """Whoever asked for the account does not get it."""
    return await _change(request, actions.reject, goes=True)


@routes.post("/api/v1/admin/accounts/{id}/enable")
async def enable(request: web.Request) -> web.Response:
    """The person behind the account may sign in again."""
    return await _change(request, actions.enable)


@routes.post("/api/v1/admin/accounts/{id}/unsilence")
async def unsilence(request: web.Request) -> web.Response:
    """The account's posts show in public again."""
    return await _change(request, actions.unsilence)


@routes.post("/api/v1/admin/accounts/{id}/unsensitive")
async def unsensitive(request: web.Request) -> web.Response:
    """The account's posts are as sensitive as it says itself."""
    return await _change(request, actions.unsensitive)


@routes.post("/api/v1/admin/accounts/{id}/unsuspend")
async def unsuspend(request: web.Request) -> web.Response:
    """The account is not suspended."""
    return await _change(request, actions.lift_suspension)


@routes.delete("/api/v1/admin/accounts/{id}")
async def delete(request: web.Request) -> web.Response:
    """All that the suspended account posted and was is gone for good."""
    change = partial(actions.delete, urls=request.app[keys.URLS])
    return await _change(request, change, permission=Permission.DELETE_USER_DATA, goes=True)
