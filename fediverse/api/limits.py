"""How often one address may ask for what makes new rows without being signed in, and an account for decoding."""

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
#: Files and thumbnails of one account: each takes a second or more to be decoded, one after the other for everybody.
FILES: Final = parse("100 per 30 minutes")


def count(request: web.Request, item: RateLimitItem, what: str) -> None:
    """One more of ``what`` from the caller's address. Raises TooManyRequests when that is one too many."""
    if request.app[keys.SETTINGS].rate_limits == "off":
        return
    limiter, address = request.app[keys.LIMITER], client_address(request)
    if not limiter.hit(item, what, address):
        reset = limiter.get_window_stats(item, what, address).reset_time
        wait = max(1, round(reset - time.time()))
        raise TooManyRequests("Too many requests. Please wait and try again.", headers={"Retry-After": str(wait)})


def count_file(request: web.Request, actor_id: int) -> None:
    """One more file of the account is decoded. Raises TooManyRequests when that is one too many."""
    if request.app[keys.SETTINGS].rate_limits == "off":
        return
    limiter, name = request.app[keys.LIMITER], str(actor_id)
    if not limiter.hit(FILES, "media", name):
        wait = max(1, round(limiter.get_window_stats(FILES, "media", name).reset_time - time.time()))
        raise TooManyRequests(
            f"You sent too many files. Wait {-(-wait // 60)} minutes, then try again.",
            headers={"Retry-After": str(wait)},
        )
