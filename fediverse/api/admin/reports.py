"""Reports for moderators: read, taken over, settled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import entities, instance, loading, params, statuses
from fediverse.admin import reports
from fediverse.admin.accounts import Staff
from fediverse.api.admin import accounts, gate
from fediverse.api.paging import page_of
from fediverse.api.reports import read_ids
from fediverse.api.respond import Call, Listing, path_id
from fediverse.entities.admin import ReportView, admin_report
from fediverse.params import query
from fediverse.roles import Permission
from fediverse.text import fold_host

routes = web.RouteTableDef()

_READ: Final = "admin:read:reports"
_WRITE: Final = "admin:write:reports"


def _entities(tx: Connection, rows: Sequence[Row[Any]], call: Call) -> list[dict[str, Any]]:
    """The reports as Admin::Reports, in a fixed number of queries."""
    if not rows:
        return []
    involved = {
        id_ for row in rows for id_ in (row.actor_id, row.target_id, row.assigned_to_id, row.action_taken_by_id)
    }
    people = accounts.by_id(tx, (id_ for id_ in involved if id_ is not None), call.site)
    posts = statuses.by_ids(tx, {id_ for row in rows for id_ in row.status_ids})
    shown = {
        view.status.id: entities.status(view, call.site, call.actor_id)
        for view in loading.statuses(tx, list(posts.values()), call.actor_id)
    }
    rules = {rule["id"]: rule for rule in entities.instance_rules(instance.get(tx).rules)}
    return [
        admin_report(
            ReportView(
                report=row,
                account=people[row.actor_id],
                target=people[row.target_id],
                assigned=people.get(row.assigned_to_id),
                taken_by=people.get(row.action_taken_by_id),
                statuses=[shown[id_] for id_ in row.status_ids if id_ in shown],
                rules=[rules[str(id_)] for id_ in row.rule_ids if str(id_) in rules],
            )
        )
        for row in rows
    ]


@routes.get("/api/v1/admin/reports")
async def index(request: web.Request) -> web.Response:
    """Reports that are open, or settled, or all; by who filed them and whom they are about."""
    asked = query(request)
    page, host = page_of(asked, gate.PAGE), asked.text("by_target_domain").strip()
    actor_id, target_id = asked.id("account_id"), asked.id("target_account_id")
    settled, open_ = asked.flag("resolved"), asked.flag("unresolved")

    def work(tx: Connection, call: Call, _staff: Staff) -> Listing:
        rows = reports.page(
            tx,
            page,
            resolved=None if settled and open_ else settled,
            actor_id=actor_id,
            target_id=target_id,
            target_host=fold_host(host) if host else None,
        )
        return Listing(_entities(tx, rows, call), [row.id for row in rows])

    return await gate.read(request, work, scope=_READ, permission=Permission.MANAGE_REPORTS)


@routes.get("/api/v1/admin/reports/{id}")
async def show(request: web.Request) -> web.Response:
    """One report."""
    report_id = path_id(request)

    def work(tx: Connection, call: Call, _staff: Staff) -> dict[str, Any]:
        return _entities(tx, [reports.get(tx, report_id)], call)[0]

    return await gate.read(request, work, scope=_READ, permission=Permission.MANAGE_REPORTS)


async def _change(request: web.Request, change: Callable[..., Row[Any]]) -> web.Response:
    """``change(tx, report_id, staff=…)`` is made; answers with the report."""
    report_id = path_id(request)

    def work(tx: Connection, call: Call, staff: Staff) -> dict[str, Any]:
        return _entities(tx, [change(tx, report_id, staff=staff)], call)[0]

    return await gate.write(request, work, scope=_WRITE, permission=Permission.MANAGE_REPORTS)


@routes.put("/api/v1/admin/reports/{id}")
async def classify(request: web.Request) -> web.Response:
    """The report has another category, or is about other rules."""
    sent = await params.read(request)

    def change(tx: Connection, report_id: int, *, staff: Staff) -> Row[Any]:
        rule_ids = read_ids(sent, "rule_ids") if sent.has("rule_ids") else None
        return reports.classify(tx, report_id, category=sent.text("category") or None, rule_ids=rule_ids, staff=staff)

    return await _change(request, change)


@routes.post("/api/v1/admin/reports/{id}/assign_to_self")
async def assign(request: web.Request) -> web.Response:
    """The moderator deals with the report."""
    return await _change(request, reports.assign)


@routes.post("/api/v1/admin/reports/{id}/unassign")
async def unassign(request: web.Request) -> web.Response:
    """Nobody in particular deals with the report."""
    return await _change(request, reports.unassign)


@routes.post("/api/v1/admin/reports/{id}/resolve")
async def resolve(request: web.Request) -> web.Response:
    """The report is settled."""
    return await _change(request, reports.resolve)


@routes.post("/api/v1/admin/reports/{id}/reopen")
async def reopen(request: web.Request) -> web.Response:
    """The report is open again."""
    return await _change(request, reports.reopen)
