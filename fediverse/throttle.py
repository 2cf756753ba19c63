"""How much one caller may ask in five minutes: 300 requests of the API by token or address, 1500 pages by address.

Other servers' deliveries are not counted here: they are signed, and answered by storing a row.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import hdrs, web
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, RateLimiter

from fediverse import keys
from fediverse.caller import client_address
from fediverse.clock import SECOND, rfc3339
from fediverse.errors import TooManyRequests, Unauthorized
from fediverse.settings import Settings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_EACH = parse("300 per 5 minutes")
# People behind one office's address read pages side by side; programs without a token are held to the above.
_PAGES = parse("1500 per 5 minutes")
_WRONG_TOKENS = parse("100 per 5 minutes")
_FILES = ("/static/", "/brand/", "/media/", "/proxy/")
_UNCOUNTED = ("/inbox", "/users/", "/actor", *_FILES, "/healthz", "/readyz", "/metrics")


def limiter() -> RateLimiter:
    """Counts in this process's memory."""
    return FixedWindowRateLimiter(MemoryStorage())


def throttle(settings: Settings) -> list[Any]:
    """The middleware that refuses what is too much (429), unless limits are off."""
    return [_throttle] if settings.rate_limits == "on" else []


@web.middleware
async def _throttle(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith(_UNCOUNTED):
        return await handler(request)
    counter, address = request.app[keys.LIMITER], client_address(request)
    authorization = request.headers.get(hdrs.AUTHORIZATION, "")
    # Whoever makes up a token for every request would never come to the end of one: wrong ones count together.
    if authorization and not counter.test(_WRONG_TOKENS, "wrong tokens", address):
        raise _too_much(counter, _WRONG_TOKENS, "wrong tokens", address)
    name = _fingerprint(authorization) if authorization else address
    limit, what = (_EACH, "requests") if authorization or request.path.startswith("/api/") else (_PAGES, "pages")
    if not counter.hit(limit, what, name):
        raise _too_much(counter, limit, what, name)
    try:
        response = await handler(request)
    except Unauthorized:
        if authorization:
            counter.hit(_WRONG_TOKENS, "wrong tokens", address)
        raise
    if not response.prepared:
        response.headers.update(_headers(counter, limit, what, name))
    return response


def _too_much(counter: RateLimiter, item: RateLimitItem, what: str, name: str) -> TooManyRequests:
    wait = max(1, round(counter.get_window_stats(item, what, name).reset_time - time.time()))
    headers = {**_headers(counter, item, what, name), "Retry-After": str(wait)}
    return TooManyRequests(f"That was too much in a short time. Please wait {wait} seconds.", headers=headers)


def _headers(counter: RateLimiter, item: RateLimitItem, what: str, name: str) -> dict[str, str]:
    window = counter.get_window_stats(item, what, name)
    return {
        "X-RateLimit-Limit": str(item.amount),
        "X-RateLimit-Remaining": str(max(0, window.remaining)),
        "X-RateLimit-Reset": rfc3339(int(window.reset_time) * SECOND),
    }


def _fingerprint(authorization: str) -> str:
    return hashlib.sha256(authorization.encode("utf-8", "surrogateescape")).hexdigest()[:32]
