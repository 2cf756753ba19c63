"""Mastodon's client API: one module per resource.

Whoever adds an endpoint names its scope there; `respond` does the rest. What is not here is 404, as on any server that
does not know it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from fediverse.api import (
    about,
    accounts,
    admin,
    announcements,
    apps,
    conversations,
    cors,
    domain_blocks,
    encoding,
    endorsements,
    filters,
    filters_v1,
    grouped_notifications,
    hashtags,
    instance,
    lists,
    media,
    notification_policy,
    notifications,
    oauth,
    people,
    polls,
    posting,
    profile,
    push,
    quotes,
    reactions,
    registration,
    relations,
    reports,
    scheduled,
    search,
    statuses,
    streaming,
    timelines,
    trends,
)


def middlewares() -> list[Any]:
    """What has to see the API's requests before their handlers."""
    return [cors.preflight, encoding.encoded]


def add_routes(app: web.Application) -> None:
    """The client API and OAuth's endpoints for applications are served."""
    app.on_response_prepare.append(cors.open_to_all)
    app.cleanup_ctx.append(instance.means)
    app.cleanup_ctx.append(streaming.means)
    app.on_shutdown.append(streaming.end)
    app.cleanup_ctx.append(about.means)
    for module in (
        announcements,
        trends,
        about,
        people,
        accounts,
        admin,
        apps,
        conversations,
        domain_blocks,
        endorsements,
        grouped_notifications,
        filters,
        filters_v1,
        hashtags,
        instance,
        lists,
        media,
        notification_policy,
        notifications,
        oauth,
        polls,
        posting,
        profile,
        push,
        quotes,
        reactions,
        registration,
        relations,
        scheduled,
        reports,
        search,
        statuses,
        streaming,
        timelines,
    ):
        app.router.add_routes(module.routes)
        app.router.add_routes(_with_slash(module.routes))


def _with_slash(routes: Iterable[web.AbstractRouteDef]) -> list[web.RouteDef]:
    """The fixed addresses once more with a slash behind them, as some clients write them."""
    return [
        web.RouteDef(route.method, f"{route.path}/", route.handler, route.kwargs)
        for route in routes
        if isinstance(route, web.RouteDef) and "{" not in route.path
    ]
