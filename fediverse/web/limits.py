"""How often somebody may try a password: by address and by account, the same whether the account exists or not.

Only failures count, so that whoever knows the password is not kept out of a busy office's address.
"""

from __future__ import annotations

import hashlib
import time
from typing import Final

from aiohttp import web
from limits import RateLimitItem, parse

from fediverse import keys
from fediverse.caller import client_address
from fediverse.errors import TooManyRequests

_BY_ADDRESS: Final = parse("20 per 5 minutes")
_BY_ACCOUNT: Final = parse("10 per 5 minutes")
_LOOK_UPS: Final = parse("30 per 5 minutes")


def check_attempts(request: web.Request, account: str) -> None:
    """Another password may be tried. Raises TooManyRequests with the time to wait."""
    for item, name in _buckets(request, account):
        if not request.app[keys.LIMITER].test(item, "password", name):
            raise _wait(request, item, "password", name)


def count_failure(request: web.Request, account: str) -> None:
    """The attempt was a wrong one."""
    for item, name in _buckets(request, account):
        request.app[keys.LIMITER].hit(item, "password", name)


def check_look_up(request: web.Request) -> None:
    """The caller, signed in or not, may have another server asked. Raises TooManyRequests with the time to wait."""
    if request.app[keys.SETTINGS].rate_limits == "off":
        return
    address = client_address(request)
    if not request.app[keys.LIMITER].hit(_LOOK_UPS, "look_up", address):
        raise _wait(request, _LOOK_UPS, "look_up", address)


def _wait(request: web.Request, item: RateLimitItem, what: str, name: str) -> TooManyRequests:
    reset = request.app[keys.LIMITER].get_window_stats(item, what, name).reset_time
    seconds = max(1, round(reset - time.time()))
    return TooManyRequests(
        f"There were too many attempts. Wait {-(-seconds // 60)} minutes, then try again.",
        headers={"Retry-After": str(seconds)},
    )


def _buckets(request: web.Request, account: str) -> tuple[tuple[RateLimitItem, str], ...]:
    if request.app[keys.SETTINGS].rate_limits == "off":
        return ()
    # Hashed, since what is typed into the field may be anything, a password by mistake included.
    typed = hashlib.sha256(account.strip().removeprefix("@").casefold().encode()).hexdigest()
    return (_BY_ADDRESS, f"address:{client_address(request)}"), (_BY_ACCOUNT, f"account:{typed}")
