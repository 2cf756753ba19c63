"""Blocks of whole servers."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import moderation, params
from fediverse.admin import domains
from fediverse.admin.accounts import Staff
from fediverse.api.admin import gate
from fediverse.api.paging import page_of
from fediverse.api.respond import Call, Listing, path_id
from fediverse.entities.admin import admin_domain_block
from fediverse.errors import BadRequest, FediverseError, Invalid
from fediverse.params import Params, query
from fediverse.roles import Permission
from fediverse.text import fold_host, normalise

routes = web.RouteTableDef()

_READ: Final = "admin:read:domain_blocks"
_WRITE: Final = "admin:write:domain_blocks"
_MAY: Final = Permission.MANAGE_FEDERATION
_COMMENT: Final = 5000
_WORDS: Final = {severity: word for word, severity in domains.SEVERITIES.items()}


class _Exists(FediverseError):
    """There is such a block already, which is shown."""

    status = 422

    def __init__(self, row: Row[Any]) -> None:
        super().__init__(f"{row.host} is blocked already: change that block.")
        self.row = row


def _entity(row: Row[Any]) -> dict[str, Any]:
    return admin_domain_block(row, _WORDS[row.severity])


@routes.get("/api/v1/admin/domain_blocks")
async def index(request: web.Request) -> web.Response:
    """All blocks, the latest first."""
    page = page_of(query(request), gate.PAGE)

    def work(tx: Connection, _call: Call, _staff: Staff) -> Listing:
        rows = domains.page(tx, page)
        return Listing([_entity(row) for row in rows], [row.id for row in rows])

    return await gate.read(request, work, scope=_READ, permission=_MAY)


@routes.get("/api/v1/admin/domain_blocks/{id}")
async def show(request: web.Request) -> web.Response:
    """One block."""
    block_id = path_id(request)

    def work(tx: Connection, _call: Call, _staff: Staff) -> dict[str, Any]:
        return _entity(domains.get(tx, block_id))

    return await gate.read(request, work, scope=_READ, permission=_MAY)


@routes.post("/api/v1/admin/domain_blocks")
async def create(request: web.Request) -> web.Response:
    """The server and its subdomains are refused, limited, or only their media or reports rejected."""
    sent = await params.read(request)

    def work(tx: Connection, _call: Call, staff: Staff) -> dict[str, Any]:
        host = _host(sent.text("domain"))
        known = domains.of_host(tx, host)
        if known is not None:
            raise _Exists(known)
        domains.block(tx, host, **{**_NOTHING, "severity": "limit", **_rule(sent)}, by=staff.person_id, now=staff.now)
        return _entity(_there(domains.of_host(tx, host)))

    try:
        return await gate.write(request, work, scope=_WRITE, permission=_MAY)
    except _Exists as error:
        from_there = {"error": error.message, "existing_domain_block": _entity(error.row)}
        return gate.refusal(from_there)


@routes.put("/api/v1/admin/domain_blocks/{id}")
async def change(request: web.Request) -> web.Response:
    """The block is as sent; what was not sent stays."""
    block_id, sent = path_id(request), await params.read(request)

    def work(tx: Connection, _call: Call, staff: Staff) -> dict[str, Any]:
        row = domains.get(tx, block_id)
        before = {name: getattr(row, name) for name in ("severity", *_NOTHING)}
        domains.block(tx, row.host, **{**before, **_rule(sent)}, by=staff.person_id, now=staff.now)
        return _entity(domains.get(tx, block_id))

    return await gate.write(request, work, scope=_WRITE, permission=_MAY)


@routes.delete("/api/v1/admin/domain_blocks/{id}")
async def lift(request: web.Request) -> web.Response:
    """Nothing is held against the server any more."""
    block_id = path_id(request)

    def work(tx: Connection, _call: Call, staff: Staff) -> dict[str, Any]:
        moderation.unblock_host(tx, domains.get(tx, block_id).host, now=staff.now, by=staff.person_id)
        return {}

    return await gate.write(request, work, scope=_WRITE, permission=_MAY)


_NOTHING: Final[dict[str, Any]] = {
    "reject_media": False,
    "reject_reports": False,
    "comment": "",
    "public_comment": "",
    "obfuscate": False,
}


def _rule(sent: Params) -> dict[str, Any]:
    """The columns that were sent. Raises Invalid."""
    found: dict[str, Any] = {
        name: sent.flag(name) for name in ("reject_media", "reject_reports", "obfuscate") if sent.has(name)
    }
    if sent.has("severity"):
        severity = domains.SEVERITIES.get(sent.text("severity"))
        if severity is None:
            raise Invalid("The severity is one of silence, suspend and noop.")
        found["severity"] = severity
    for name, column in (("private_comment", "comment"), ("public_comment", "public_comment")):
        if sent.has(name):
            found[column] = normalise(sent.text(name))
            if len(found[column]) > _COMMENT:
                raise Invalid(f"A comment has at most {_COMMENT} characters.")
    return found


def _host(domain: str) -> str:
    try:
        return fold_host(domain)
    except BadRequest as error:
        raise Invalid("“domain” is not the name of a server.") from error


def _there(row: Row[Any] | None) -> Row[Any]:
    assert row is not None
    return row
