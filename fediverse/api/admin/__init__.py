"""Administration through the client API: only for people whose role permits it, whatever their tokens hold."""

from __future__ import annotations

from aiohttp import web

from fediverse.api.admin import accounts, barriers, domains, figures, reports, trends

routes: list[web.AbstractRouteDef] = [
    route for module in (accounts, barriers, domains, figures, reports, trends) for route in module.routes
]
