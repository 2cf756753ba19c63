"""How often one address may ask for what makes new rows without anybody being signed in."""

from __future__ import annotations

import time
from typing import Final

from aiohttp import web
from limits import RateLimitItem, parse

from fediverse import keys
from fediverse.caller import client_address
from fediverse.errors import TooManyRequests

#: New accounts.
SIGN_UPS: Final = parse("5 per 30 minutes")
#: Mails with a link that confirms an address.
CONFIRMATIONS: Final = parse("5 per 30 minutes")
#: New applications.
APPS: Final = parse("300 per 5 minutes")


def count(request: web.Request, item: RateLimitItem, what: str) -> None:
    """One more of ``what`` from the caller's address. Raises TooManyRequests when that is one too many."""
    if request.app[keys.SETTINGS].rate_limits == "off":
        return
    limiter, address = request.app[keys.LIMITER], client_address(request)
    if not limiter.hit(item, what, address):
        reset = limiter.get_window_stats(item, what, address).reset_time
        wait = max(1, round(reset - time.time()))
        raise TooManyRequests("Too many requests. Please wait and try again.", headers={"Retry-After": str(wait)})
