"""Quotes of a status: listed, taken back, and who may make them."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from fediverse import params, statuses
from fediverse.api import listings, respond
from fediverse.api.paging import page_of
from fediverse.api.respond import NOT_FOUND, Call, Listing, path_id
from fediverse.drafts import QuotePolicy
from fediverse.errors import Invalid, NotFound
from fediverse.params import Params, query
from fediverse.statuses import quote_policy, quotes

routes = web.RouteTableDef()


def read_policy(sent: Params, name: str = "quote_approval_policy") -> QuotePolicy | None:
    """The policy that was sent; None when none was. Raises Invalid for one that does not exist."""
    word = sent.text(name).strip()
    if not word:
        return None
    if word not in quote_policy.POLICIES:
        raise Invalid(f"Who may quote is one of {', '.join(quote_policy.POLICIES)}.")
    return quote_policy.POLICIES[word]


@routes.get("/api/v1/statuses/{id}/quotes")
async def listed(request: web.Request) -> web.Response:
    """Who quotes a status, as far as the viewer may see that."""
    status_id, page = path_id(request), page_of(query(request))

    def work(tx: Connection, call: Call) -> Listing:
        row = statuses.get_visible(tx, status_id, call.viewer_id)
        return listings.statuses(tx, quotes.page(tx, row, page, viewer_id=call.viewer_id), call)

    return await respond.read(request, work, scope="read:statuses", anonymous=True)


@routes.post("/api/v1/statuses/{id}/quotes/{quoting_status_id}/revoke")
async def revoke(request: web.Request) -> web.Response:
    """The author of a status agrees no longer to a quote of it; answers with the quoting status."""
    status_id, quoting_id = path_id(request), path_id(request, "quoting_status_id")

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        quoted = statuses.get_own(tx, status_id, call.actor_id)
        row = statuses.by_id(tx, quoting_id)
        if row is None or row.deleted_at is not None:
            raise NotFound(NOT_FOUND)
        return listings.status(tx, quotes.revoke(tx, call.urls, quoted, row, now=call.now), call)

    return await respond.write(request, work, scope="write:statuses")


@routes.put("/api/v1/statuses/{id}/interaction_policy")
async def set_policy(request: web.Request) -> web.Response:
    """Who may quote one's own status from now on."""
    status_id = path_id(request)
    policy = read_policy(await params.read(request))

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        row = statuses.get_own(tx, status_id, call.actor_id)
        if policy is None:
            return listings.status(tx, row, call)
        row = quotes.set_policy(tx, call.urls, row, policy, author=call.actor(tx), now=call.now)
        return listings.status(tx, row, call)

    return await respond.write(request, work, scope="write:statuses")
