"""Cross-origin requests (Fetch standard): web clients of any origin may use the client API with a token.

Cookies are never allowed across origins, so a page elsewhere gains nothing that a program would not have.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import hdrs, web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PREFIXES: Final = ("/api/", "/.well-known/", "/nodeinfo/")
_PATHS: Final = frozenset({"/oauth/token", "/oauth/revoke", "/oauth/userinfo"})
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
    "Access-Control-Max-Age": "86400",
}
_VARY: Final = "Access-Control-Request-Headers"
_ALLOWED: Final = "Authorization, Content-Type, Idempotency-Key"
# What clients add of their own harms nobody: headers mean nothing here but for those that any program may send.
_HEADER_NAMES: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:, ?[A-Za-z0-9!#$%&'*+.^_`|~-]+){0,40}")
_EXPOSED: Final = (
    "ETag, Link, Retry-After, WWW-Authenticate, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
    "X-Request-Id"
)


def is_open(path: str) -> bool:
    """Whether pages of other origins may read what is at ``path``."""
    return path.startswith(_PREFIXES) or path in _PATHS


@web.middleware
async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers the question that browsers ask before a request with a token."""
    if request.method == hdrs.METH_OPTIONS and is_open(request.path):
        asked = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "")
        allowed = asked if _HEADER_NAMES.fullmatch(asked) else _ALLOWED
        headers = {**_PREFLIGHT, hdrs.ACCESS_CONTROL_ALLOW_HEADERS: allowed, hdrs.VARY: _VARY}
        return web.Response(status=204, headers=headers)
    return await handler(request)


async def open_to_all(request: web.Request, response: web.StreamResponse) -> None:
    """Every origin may read the API's answers, errors included: a signal, since errors are made outside of handlers."""
    if is_open(request.path):
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
