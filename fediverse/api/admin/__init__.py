"""Administration through the client API: only for people whose role permits it, whatever their tokens hold."""

from __future__ import annotations

from aiohttp import web

from fediverse.api.admin import accounts, barriers, domains, reports

routes: list[web.AbstractRouteDef] = [*accounts.routes, *barriers.routes, *domains.routes, *reports.routes]
