"""Who is answered at all: not those whose network moderators have shut out.

The networks are read at most every ten seconds, and at once after this process has changed them.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from aiohttp import web

from fediverse import clock, keys
from fediverse.admin import barriers
from fediverse.admin.barriers import Network
from fediverse.caller import client_address
from fediverse.db import Database
from fediverse.errors import Forbidden, Unavailable

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SECONDS: Final = 10.0
_OPEN: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class Door:
    """The networks that are shut out, as this process knows them."""

    def __init__(self) -> None:
        self._networks: list[Network] = []
        self._until = 0.0

    def forget(self) -> None:
        """What is known is read anew for the next request."""
        self._until = 0.0

    async def is_shut_to(self, request: web.Request, database: Database) -> bool:
        """Whether whoever sends the request gets no answer, by the address that it comes from."""
        if time.monotonic() >= self._until:
            self._until = time.monotonic() + _SECONDS  # before reading: others need not wait for it
            with suppress(Unavailable):  # then what was known still holds
                self._networks = await database.read(barriers.shut_out, now=clock.now())
        if not self._networks:
            return False
        try:
            asked = ipaddress.ip_network(client_address(request))
        except ValueError:
            return False
        return any(barriers.covers(network, asked) for network in self._networks)


DOOR: web.AppKey[Door] = web.AppKey("door")


@web.middleware
async def keep_out(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses requests from networks that are shut out (403), health endpoints excepted."""
    if request.path not in _OPEN and await request.app[DOOR].is_shut_to(request, request.app[keys.DATABASE]):
        raise Forbidden("Requests from your network are not answered here.")
    return await handler(request)
