"""Blocks of network addresses, of mailboxes' domains and of mailboxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection, Row, Table

from fediverse import door, params
from fediverse.admin import barriers
from fediverse.admin.accounts import Staff
from fediverse.api.admin import gate
from fediverse.api.paging import page_of
from fediverse.api.respond import Call, Listing, path_id
from fediverse.caller import client_address
from fediverse.clock import DAY, SECOND, Instant
from fediverse.entities.admin import canonical_email_block, email_domain_block, ip_block
from fediverse.errors import Invalid
from fediverse.params import Params, query
from fediverse.roles import Permission
from fediverse.tables.moderation import canonical_email_blocks, email_domain_blocks, ip_blocks
from fediverse.text import normalise

routes = web.RouteTableDef()

_MAY: Final = Permission.MANAGE_BLOCKS
_TEN_YEARS: Final = 10 * 366 * 24 * 3600
_COMMENT: Final = 1000

Show = Callable[[Connection, list[Row[Any]], Instant], list[dict[str, Any]]]


def _ips(_tx: Connection, rows: list[Row[Any]], _now: Instant) -> list[dict[str, Any]]:
    return [ip_block(row) for row in rows]


def _email_domains(tx: Connection, rows: list[Row[Any]], now: Instant) -> list[dict[str, Any]]:
    tried = barriers.attempts(tx, [row.id for row in rows], now=now)
    return [email_domain_block(row, tried.get(row.id, {}), today=now - now % DAY) for row in rows]


def _emails(_tx: Connection, rows: list[Row[Any]], _now: Instant) -> list[dict[str, Any]]:
    return [canonical_email_block(row) for row in rows]


async def _list(request: web.Request, table: Table, show: Show) -> web.Response:
    page = page_of(query(request), gate.PAGE)

    def work(tx: Connection, _call: Call, staff: Staff) -> Listing:
        rows = barriers.ip_page(tx, page, now=staff.now) if table is ip_blocks else barriers.page(tx, table, page)
        return Listing(show(tx, rows, staff.now), [row.id for row in rows])

    return await gate.read(request, work, scope=f"admin:read:{table.name}", permission=_MAY)


async def _show(request: web.Request, table: Table, show: Show) -> web.Response:
    block_id = path_id(request)

    def work(tx: Connection, _call: Call, staff: Staff) -> dict[str, Any]:
        return show(tx, [barriers.get(tx, table, block_id)], staff.now)[0]

    return await gate.read(request, work, scope=f"admin:read:{table.name}", permission=_MAY)


async def _put(
    request: web.Request, table: Table, show: Show, put: Callable[[Connection, Staff], Row[Any]]
) -> web.Response:
    def work(tx: Connection, _call: Call, staff: Staff) -> dict[str, Any]:
        return show(tx, [put(tx, staff)], staff.now)[0]

    return await gate.write(request, work, scope=f"admin:write:{table.name}", permission=_MAY)


async def _lift(request: web.Request, table: Table) -> web.Response:
    block_id = path_id(request)

    def work(tx: Connection, _call: Call, staff: Staff) -> dict[str, Any]:
        barriers.lift(tx, table, block_id, staff=staff)
        return {}

    return await gate.write(request, work, scope=f"admin:write:{table.name}", permission=_MAY)


@routes.get("/api/v1/admin/ip_blocks")
async def ip_index(request: web.Request) -> web.Response:
    """Blocked networks that are in force."""
    return await _list(request, ip_blocks, _ips)


@routes.get("/api/v1/admin/ip_blocks/{id}")
async def ip_show(request: web.Request) -> web.Response:
    """One blocked network."""
    return await _show(request, ip_blocks, _ips)


@routes.post("/api/v1/admin/ip_blocks")
async def ip_create(request: web.Request) -> web.Response:
    """From a network nobody signs up, or not without approval, or nobody is answered at all."""
    sent, mine = await params.read(request), client_address(request)

    def put(tx: Connection, staff: Staff) -> Row[Any]:
        severity = sent.text("severity")
        network = barriers.read_network(sent.text("ip"), mine=mine if severity == "no_access" else "")
        comment, expires_at = _comment(sent), _end(sent, staff.now)
        return barriers.put_ip(tx, network, severity, comment=comment, expires_at=expires_at, staff=staff)

    response = await _put(request, ip_blocks, _ips, put)
    request.app[door.DOOR].forget()
    return response


@routes.put("/api/v1/admin/ip_blocks/{id}")
async def ip_change(request: web.Request) -> web.Response:
    """The block is as sent; what was not sent stays."""
    block_id, sent, mine = path_id(request), await params.read(request), client_address(request)

    def put(tx: Connection, staff: Staff) -> Row[Any]:
        row = barriers.get(tx, ip_blocks, block_id)
        severity = sent.text("severity") or row.severity
        network = barriers.read_network(sent.text("ip") or row.network, mine=mine if severity == "no_access" else "")
        return barriers.put_ip(
            tx,
            network,
            severity,
            comment=_comment(sent) if sent.has("comment") else row.comment,
            expires_at=_end(sent, staff.now) if sent.has("expires_in") else row.expires_at,
            staff=staff,
            block_id=block_id,
        )

    response = await _put(request, ip_blocks, _ips, put)
    request.app[door.DOOR].forget()
    return response


@routes.delete("/api/v1/admin/ip_blocks/{id}")
async def ip_lift(request: web.Request) -> web.Response:
    """The network is not blocked."""
    response = await _lift(request, ip_blocks)
    request.app[door.DOOR].forget()
    return response


@routes.get("/api/v1/admin/email_domain_blocks")
async def domain_index(request: web.Request) -> web.Response:
    """Domains on which no mailbox signs anybody up, with how often it was tried in the last week."""
    return await _list(request, email_domain_blocks, _email_domains)


@routes.get("/api/v1/admin/email_domain_blocks/{id}")
async def domain_show(request: web.Request) -> web.Response:
    """One such domain."""
    return await _show(request, email_domain_blocks, _email_domains)


@routes.post("/api/v1/admin/email_domain_blocks")
async def domain_create(request: web.Request) -> web.Response:
    """Mailboxes on the domain sign nobody up."""
    sent = await params.read(request)

    def put(tx: Connection, staff: Staff) -> Row[Any]:
        return barriers.block_email_domain(tx, sent.text("domain"), staff=staff)

    return await _put(request, email_domain_blocks, _email_domains, put)


@routes.delete("/api/v1/admin/email_domain_blocks/{id}")
async def domain_lift(request: web.Request) -> web.Response:
    """Mailboxes on the domain may sign people up."""
    return await _lift(request, email_domain_blocks)


@routes.get("/api/v1/admin/canonical_email_blocks")
async def email_index(request: web.Request) -> web.Response:
    """Mailboxes, by their hashes, that sign nobody up."""
    return await _list(request, canonical_email_blocks, _emails)


@routes.get("/api/v1/admin/canonical_email_blocks/{id}")
async def email_show(request: web.Request) -> web.Response:
    """One such mailbox."""
    return await _show(request, canonical_email_blocks, _emails)


@routes.post("/api/v1/admin/canonical_email_blocks/test")
async def email_test(request: web.Request) -> web.Response:
    """The blocks of a mailbox, however it is spelt."""
    sent = await params.read(request)

    def work(tx: Connection, _call: Call, staff: Staff) -> list[dict[str, Any]]:
        if not sent.text("email"):
            raise Invalid("Say which mailbox, by “email”.")
        return _emails(tx, list(barriers.matching(tx, sent.text("email"))), staff.now)

    return await gate.read(request, work, scope="admin:read:canonical_email_blocks", permission=_MAY)


@routes.post("/api/v1/admin/canonical_email_blocks")
async def email_create(request: web.Request) -> web.Response:
    """A mailbox, or one with that hash, signs nobody up."""
    sent = await params.read(request)

    def put(tx: Connection, staff: Staff) -> Row[Any]:
        email = sent.text("email")
        hashed = barriers.email_hash(email) if email else sent.text("canonical_email_hash")
        return barriers.block_email(tx, hashed, staff=staff)

    return await _put(request, canonical_email_blocks, _emails, put)


@routes.delete("/api/v1/admin/canonical_email_blocks/{id}")
async def email_lift(request: web.Request) -> web.Response:
    """The mailbox may sign somebody up."""
    return await _lift(request, canonical_email_blocks)


def _comment(sent: Params) -> str:
    comment = normalise(sent.text("comment"))
    if len(comment) > _COMMENT:
        raise Invalid(f"A comment has at most {_COMMENT} characters.")
    return comment


def _end(sent: Params, now: Instant) -> Instant | None:
    """When a block of some seconds ends; None for one without an end."""
    seconds = sent.integer("expires_in", 0, low=0, high=_TEN_YEARS)
    return now + seconds * SECOND if seconds else None
