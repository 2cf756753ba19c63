"""A page that many ask for at the same moment is made once for all of them: a post that everybody links to.

Only for those who show no cookie and no token, who all get the same. Nothing is kept beyond that moment, and who asks
after something was written here gets what was read after that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from functools import wraps
from typing import Final
from weakref import WeakKeyDictionary

from aiohttp import hdrs, web

from fediverse import keys
from fediverse.db import Database
from fediverse.limited import SingleFlight

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: What the answer hangs on, besides the address.
_MATTERS: Final = (hdrs.ACCEPT, hdrs.IF_NONE_MATCH)


def once_for_all(handler: Handler) -> Handler:
    """The handler, which runs once for all who ask for the same at the same time."""
    # By database: one process may run several instances.
    all_flights: WeakKeyDictionary[Database, SingleFlight[Hashable, web.Response]] = WeakKeyDictionary()

    @wraps(handler)
    async def shared(request: web.Request) -> web.StreamResponse:
        if hdrs.COOKIE in request.headers or hdrs.AUTHORIZATION in request.headers:
            return await handler(request)
        database = request.app[keys.DATABASE]
        matters = (request.headers.get(name, "") for name in _MATTERS)
        flights = all_flights.setdefault(database, SingleFlight())
        key = (database.commits, request.method, request.raw_path, *matters)
        made = await flights.do(key, lambda: _made(handler, request))
        # An answer is sent once; each gets one of their own.
        return web.Response(status=made.status, headers=made.headers, body=made.body)

    return shared


async def _made(handler: Handler, request: web.Request) -> web.Response:
    try:
        response = await handler(request)
    except web.HTTPException as redirect:
        if redirect.status >= 400:
            raise
        response = redirect
    assert isinstance(response, web.Response)
    assert not response.cookies, "a cookie is for one visitor"
    return response
