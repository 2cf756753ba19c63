"""Reporting accounts to the moderators."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from fediverse import entities, loading, params
from fediverse.admin import reports
from fediverse.admin.reports import Complaint
from fediverse.api import accounts, respond
from fediverse.api.paging import ACCOUNTS, page_of
from fediverse.api.respond import Call, Listing, path_id
from fediverse.errors import BadRequest, Invalid
from fediverse.params import Params, query
from fediverse.text import fold_host, normalise

routes = web.RouteTableDef()


@routes.post("/api/v1/reports")
async def create(request: web.Request) -> web.Response:
    """An account is reported, with posts of it as evidence; on request its server is told, too."""
    sent = await params.read(request)
    target_id, complaint = sent.id("account_id"), _complaint(sent)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        if target_id is None:
            raise Invalid("Say which account the report is about, by “account_id”.")
        target = accounts.find(tx, target_id)
        row = reports.file(tx, call.urls, call.actor(tx), target, complaint, now=call.now)
        return entities.report(row, target, call.site)

    return await respond.write(request, work, scope="write:reports")


@routes.get("/api/v1/reports")
async def index(request: web.Request) -> web.Response:
    """What the actor has reported: all, or what is settled or not, or of one account."""
    asked = query(request)
    page, target_id = page_of(asked, ACCOUNTS), asked.id("target_account_id")
    resolved = asked.flag("resolved") if asked.has("resolved") else None

    def work(tx: Connection, call: Call) -> Listing:
        rows = reports.page(tx, page, resolved=resolved, actor_id=call.actor_id, target_id=target_id)
        targets = loading.accounts(tx, {row.target_id for row in rows})
        items = [entities.report(row, targets[row.target_id], call.site) for row in rows]
        return Listing(items, [row.id for row in rows])

    return await respond.read(request, work, scope="read:accounts")


@routes.get("/api/v1/reports/{id}")
async def show(request: web.Request) -> web.Response:
    """One of the actor's own reports."""
    report_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        row = reports.get(tx, report_id, by=call.actor_id)
        return entities.report(row, loading.accounts(tx, [row.target_id])[row.target_id], call.site)

    return await respond.read(request, work, scope="read:accounts")


def _complaint(sent: Params) -> Complaint:
    return Complaint(
        status_ids=read_ids(sent, "status_ids"),
        comment=normalise(sent.text("comment")),
        category=sent.text("category") or "other",
        rule_ids=read_ids(sent, "rule_ids"),
        forward=sent.flag("forward"),
        forward_to=[fold_host(word) for word in sent.words("forward_to_domains")],
    )


def read_ids(sent: Params, name: str) -> list[int]:
    """The ids of a list. Raises BadRequest for what is none: what is reported must not be another thing than meant."""
    words = sent.words(name, most=reports.MAX_STATUSES)
    found = [params.read_id(word) for word in words]
    if None in found:
        raise BadRequest(f"“{name}” must be a list of ids.")
    return list(dict.fromkeys(one for one in found if one is not None))
