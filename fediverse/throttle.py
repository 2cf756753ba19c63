"""How much one caller may ask in five minutes: 300 requests of the API by account or address, 1500 pages by address.

A token counts by itself until it is known whose it is, and only where one is looked at; then all the tokens of an
account count together, as Mastodon documents it. All that come from one address have a limit together, too: else
whoever makes one up for every request would never come to the end of any.

Other servers are counted by what they are proven to have sent: 30,000 activities, far more than even a large one has
for a small one, and what they ask for is not counted at all. What counts by address is when we ask others who a
caller is and it does not turn out to be true: made-up signers of a third server would have us ask that server without
end.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import hdrs, web
from limits import RateLimitItem, parse
from limits.strategies import FixedWindowRateLimiter, RateLimiter

from fediverse import keys
from fediverse.caller import client_address
from fediverse.clock import SECOND, rfc3339
from fediverse.counts import Counts
from fediverse.errors import TooManyRequests, Unauthorized
from fediverse.limited import Expiring
from fediverse.settings import Settings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_EACH = parse("300 per 5 minutes")
# People behind one office's address read pages side by side; programs without a token are held to the above.
_PAGES = parse("1500 per 5 minutes")
_WRONG_TOKENS = parse("100 per 5 minutes")
# Ten busy clients behind one address.
_TOKENS = parse("3000 per 5 minutes")
_TAKEN_AWAY = parse("30 per 30 minutes")
_FAILED_LOOK_UPS = parse("300 per 5 minutes")
_ACTIVITIES = parse("30000 per 5 minutes")
_FILES = ("/static/", "/brand/", "/media/", "/proxy/")
_UNCOUNTED = ("/inbox", "/users/", "/actor", *_FILES, "/healthz", "/readyz", "/metrics")

_KNOWN_TOKENS = 20_000
_KNOWN_SECONDS = 3600.0

OWNERS: web.AppKey[Expiring[str, int]] = web.AppKey("owners_of_tokens")
"""By fingerprint, the actors whose tokens were used lately."""
LOOKING_UP: web.AppKey[Counter[str]] = web.AppKey("signers_looked_up")
"""By address, the look-ups of signers that are under way."""


class TooManyLookUps(Unauthorized):
    """The caller had others asked in vain too often: nobody is asked who signed."""


def limiter(counts: Counts) -> RateLimiter:
    """Counts in this process's memory, which may be shared with others."""
    return FixedWindowRateLimiter(counts)


def throttle(settings: Settings) -> list[Any]:
    """The middleware that refuses what is too much (429), unless limits are off."""
    return [_throttle] if settings.rate_limits == "on" else []


@web.middleware
async def _throttle(request: web.Request, handler: Handler) -> web.StreamResponse:
    takes_tokens = request.path.startswith("/api/") or _is_outbox(request)
    if request.path.startswith(_UNCOUNTED) and not takes_tokens:
        return await handler(request)
    counter, address = request.app[keys.LIMITER], client_address(request)
    authorization = request.headers.get(hdrs.AUTHORIZATION, "") if takes_tokens else ""
    if authorization and not counter.test(_WRONG_TOKENS, "wrong tokens", address):
        raise _too_much(counter, _WRONG_TOKENS, "wrong tokens", address)
    if authorization and not counter.hit(_TOKENS, "tokens", address):
        raise _too_much(counter, _TOKENS, "tokens", address)
    name = _whose(request, authorization) if authorization else address
    limit, what = (_EACH, "requests") if takes_tokens else (_PAGES, "pages")
    if not counter.hit(limit, what, name):
        raise _too_much(counter, limit, what, name)
    if takes_tokens and _takes_away(request):
        limit, what = _TAKEN_AWAY, "taken away"
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


@contextmanager
def look_up(request: web.Request) -> Iterator[None]:
    """Another server may be asked who signed the request; that counts against the caller's address if it ends badly.

    Raises TooManyLookUps when too many did. Those under way count as failed until they are over, or a thousand at
    once would all be let in before the first of them failed.
    """
    if request.app[keys.SETTINGS].rate_limits == "off":
        yield
        return
    counter, under_way, address = request.app[keys.LIMITER], request.app[LOOKING_UP], client_address(request)
    if counter.get_window_stats(_FAILED_LOOK_UPS, "failed look-ups", address).remaining <= under_way[address]:
        raise TooManyLookUps("Too many signatures from your address could not be verified. Try again in five minutes.")
    under_way[address] += 1
    try:
        yield
    except BaseException:  # a caller that hangs up has had others asked all the same
        counter.hit(_FAILED_LOOK_UPS, "failed look-ups", address)
        raise
    finally:
        under_way[address] -= 1
        if not under_way[address]:
            del under_way[address]


class Quota:
    """How many activities a server may send: 429 with the time to wait for what is more."""

    def __init__(self, request: web.Request) -> None:
        self._counter = request.app[keys.LIMITER]
        self._is_on = request.app[keys.SETTINGS].rate_limits == "on"

    def check(self, host: str) -> None:
        """Returns while the server has some left. Raises TooManyRequests, before anything is verified or stored."""
        if self._is_on and not self._counter.test(_ACTIVITIES, "activities", host):
            raise _too_much(self._counter, _ACTIVITIES, "activities", host)

    def count(self, host: str) -> None:
        """One more activity is proven to come from that server."""
        if self._is_on:
            self._counter.hit(_ACTIVITIES, "activities", host)


def belongs(request: web.Request, actor_id: int) -> None:
    """The token that came with the request is the actor's: all of an actor's tokens count together from now on."""
    authorization = request.headers.get(hdrs.AUTHORIZATION, "")
    if authorization and actor_id:
        request.app[OWNERS].put(_fingerprint(authorization), actor_id)


def owners() -> Expiring[str, int]:
    """Whose the tokens are that were seen lately."""
    return Expiring(_KNOWN_TOKENS, _KNOWN_SECONDS)


def _whose(request: web.Request, authorization: str) -> str:
    fingerprint = _fingerprint(authorization)
    owner = request.app[OWNERS].get(fingerprint)
    return fingerprint if owner is None else f"account {owner}"


def _takes_away(request: web.Request) -> bool:
    """Whether a post or a boost is deleted, which other servers are told each time."""
    path = request.path.rstrip("/")
    if not path.startswith("/api/v1/statuses/"):
        return False
    return request.method == hdrs.METH_DELETE or path.endswith("/unreblog")


def _is_outbox(request: web.Request) -> bool:
    """Whether somebody's client posts, as by the API; what lies beside it in the path is for other servers."""
    return request.method == hdrs.METH_POST and request.path.startswith("/users/") and request.path.endswith("/outbox")


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
