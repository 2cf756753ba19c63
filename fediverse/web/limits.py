"""How often somebody may try a password: by address and by account, the same whether the account exists or not.

Only failures count, so that whoever knows the password is not kept out of a busy office's address; and an account is
closed to an address, not to all, or anybody could keep its owner out. When very many addresses try one account, each
try takes some seconds more.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from limits import RateLimitItem, parse

from fediverse import keys
from fediverse.actors import people
from fediverse.caller import client_address
from fediverse.errors import TooManyRequests

_BY_ADDRESS: Final = parse("20 per 5 minutes")
_BY_ACCOUNT: Final = parse("10 per 5 minutes")  # from one address
_BY_ALL: Final = parse("100 per hour")  # on one account, from everywhere: beyond that each takes longer
_SLOW_SECONDS: Final = 5.0
_LOOK_UPS: Final = parse("30 per 5 minutes")
_MAILS: Final = parse("10 per 30 minutes")
_MAILS_TO_ONE: Final = parse("2 per 10 minutes")
#: As through applications, and counted together with those.
SIGN_UPS: Final = parse("5 per 30 minutes")
# As many as pages: each costs the other server a picture, and browsers keep what they have for a week.
_PICTURES: Final = parse("1500 per 5 minutes")


#: What is awaited before a slow try; a test puts something else there.
PATIENCE: web.AppKey[Callable[[float], Awaitable[None]]] = web.AppKey("password_patience")
UNDER_WAY: web.AppKey[Counter[str]] = web.AppKey("password_attempts")


class Attempt:
    """A password that is being tried."""

    wrong = False


@asynccontextmanager
async def attempt(request: web.Request, account: str) -> AsyncIterator[Attempt]:
    """Another password may be tried; set ``wrong`` on what is handed out when it was.

    Raises TooManyRequests with the time to wait. Attempts under way count as failures until they are over, or a
    hundred at once would all be let in before the first of them failed.
    """
    limiter, under_way = request.app[keys.LIMITER], request.app[UNDER_WAY]
    buckets = _buckets(request, account)
    for item, name in buckets:
        if limiter.get_window_stats(item, "password", name).remaining <= under_way[name]:
            raise _wait(request, item, "password", name)
    names = [name for _, name in buckets]
    under_way.update(names)
    tried = Attempt()
    everybody = f"account:{_typed(account)}"
    try:
        if buckets and not limiter.test(_BY_ALL, "password", everybody):
            await request.app[PATIENCE](_SLOW_SECONDS)
        yield tried
    finally:
        under_way.subtract(names)
        for item, name in buckets:
            if not under_way[name]:
                del under_way[name]
            if tried.wrong:
                limiter.hit(item, "password", name)
        if buckets and tried.wrong:
            limiter.hit(_BY_ALL, "password", everybody)


def check_look_up(request: web.Request) -> None:
    """The caller, signed in or not, may have another server asked. Raises TooManyRequests with the time to wait."""
    _count(request, _LOOK_UPS, "look_up")


def check_picture(request: web.Request) -> None:
    """The caller may have a picture fetched from another server. Raises TooManyRequests with the time to wait."""
    _count(request, _PICTURES, "picture")


def check_mail(request: web.Request) -> None:
    """The caller may have another mail sent. Raises TooManyRequests with the time to wait."""
    _count(request, _MAILS, "mail")


def check_sign_up(request: web.Request) -> None:
    """The caller may make another account. Raises TooManyRequests with the time to wait."""
    _count(request, SIGN_UPS, "sign_ups")


def may_mail_to(request: web.Request, typed: str) -> bool:
    """Whether whoever this names may get another mail now; asking counts, whether or not there is anybody."""
    if request.app[keys.SETTINGS].rate_limits == "off":
        return True
    name = hashlib.sha256(people.fold_email(typed).encode("utf-8", "replace")).hexdigest()
    return bool(request.app[keys.LIMITER].hit(_MAILS_TO_ONE, "mail_to", name))


def _count(request: web.Request, item: RateLimitItem, what: str) -> None:
    if request.app[keys.SETTINGS].rate_limits == "off":
        return
    address = client_address(request)
    if not request.app[keys.LIMITER].hit(item, what, address):
        raise _wait(request, item, what, address)


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
    address = client_address(request)
    return (_BY_ADDRESS, f"address:{address}"), (_BY_ACCOUNT, f"account:{_typed(account)}:{address}")


def _typed(account: str) -> str:
    """However it is spelt; and hashed, since what is typed may be anything, a password by mistake included."""
    return hashlib.sha256(people.fold_email(account).removeprefix("@").encode("utf-8", "replace")).hexdigest()
