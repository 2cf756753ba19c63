"""How an error looks: Mastodon's JSON for programs, a page for people, a line of text for everything else."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import orjson
import structlog
from aiohttp import hdrs, web

from fediverse import clock, instance, keys
from fediverse.access import OAuthError
from fediverse.errors import FediverseError
from fediverse.instance import InstanceInfo
from fediverse.web import negotiation, render
from fediverse.web.visit import SignInFirst, Visit

log = structlog.get_logger(__name__)

_PROGRAMS: Final = (
    "/api/",
    "/oauth/token",
    "/oauth/revoke",
    "/oauth/userinfo",
    "/.well-known/",
    "/nodeinfo",
    "/inbox",
    "/actor",
    "/users/",
)
_HEADINGS: Final = {
    400: "This request cannot be understood",
    401: "Sign in first",
    403: "This is not allowed",
    404: "Not found",
    405: "Not like this",
    406: "Not in that form",
    409: "That does not fit",
    410: "This is gone",
    413: "Too large",
    415: "Not of a kind that is taken",
    421: "Wrong address",
    422: "This cannot be taken",
    429: "Slow down",
    502: "Another server did not answer",
    503: "Not just now",
}


async def error_response(request: web.Request, error: FediverseError) -> web.Response:
    """The answer to a request that failed: its status, its sentence, its headers, in the form that the caller reads."""
    if isinstance(error, SignInFirst) and request.method in {"GET", "HEAD"}:
        return _to_sign_in(request)
    if _is_program(request):
        response = _as_json(error)
    elif "text/html" in request.headers.get(hdrs.ACCEPT, "") or request.path.startswith(("/@", "/oauth/", "/settings")):
        response = await error_page(request, error)
    else:
        response = web.Response(text=f"{error.message}\n", status=error.status)
    response.headers.update(error.headers)
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    if "Accept" not in response.headers.get(hdrs.VARY, ""):
        response.headers[hdrs.VARY] = "Accept"
    return response


async def error_page(request: web.Request, error: FediverseError) -> web.Response:
    """The error as a page; it needs nothing that could fail as well."""
    visit = Visit(request, request.app[keys.SITE], clock.now(), await _info(request))
    return render.page(
        visit,
        "error.html",
        status=error.status,
        code=error.status,
        heading=_HEADINGS.get(error.status, "Something went wrong"),
        message=error.message,
    )


async def _info(request: web.Request) -> InstanceInfo:
    try:
        return await request.app[keys.DATABASE].read(instance.get)
    except Exception as failure:  # whatever is wrong with the database, the page can do without
        log.debug("error_page.without_database", reason=repr(failure))
        return InstanceInfo()


def _is_program(request: web.Request) -> bool:
    return request.path.startswith(_PROGRAMS) or negotiation.wants_activity(request)


def _as_json(error: FediverseError) -> web.Response:
    shape: dict[str, Any] = {"error": error.message}
    if isinstance(error, OAuthError):
        shape = {"error": error.code, "error_description": error.message}
    return web.Response(body=orjson.dumps(shape), status=error.status, content_type="application/json")


def _to_sign_in(request: web.Request) -> web.Response:
    return web.Response(
        status=303,
        headers={
            hdrs.LOCATION: f"/login?next={quote(request.rel_url.raw_path_qs, safe='/')}",
            hdrs.CACHE_CONTROL: "private, no-store",
        },
    )
