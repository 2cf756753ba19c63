"""Clients that take their time, on purpose or not: how long a connection may wait for what it was promised.

aiohttp closes a connection that has sent no complete head for as long as it keeps idle ones, however many single bytes
come meanwhile: that one number bounds both. For a body it would wait without end, so that is bounded here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import hdrs, web

from fediverse.errors import TooSlow

_LINGER_SECONDS = 10.0
_EXTEND: web.RequestKey[Callable[[float], None]] = web.RequestKey("extend_body_time")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds until a connection is closed: ``head`` without a (further) complete head, ``body`` into a body.

    A minute is enough for the largest picture over a slow line, and longer than proxies keep connections idle.
    """

    head: float = 60.0
    body: float = 60.0


PATIENCE = Patience()


def bodies_in_time(patience: Patience) -> Any:
    """The middleware that ends the reading of a body (408) when its time is over, and the connection with it."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.can_read_body:
            return await handler(request)
        ended: list[bool] = []

        def end() -> None:
            if not request.content.is_eof():
                ended.append(True)
                # A TimeoutError, since aiohttp gives up the rest of the body quietly for that.
                request.content.set_exception(TimeoutError())

        given, loop = patience.body, asyncio.get_running_loop()
        timer = loop.call_later(given, end)

        def extend(seconds: float) -> None:
            nonlocal given, timer
            timer.cancel()
            given = seconds
            timer = loop.call_later(given, end)

        request[_EXTEND] = extend
        try:
            return await handler(request)
        except TimeoutError as error:
            if not ended:
                raise
            raise TooSlow(
                f"The rest of the request did not arrive within {given:g} seconds. Please send it again.",
                headers={hdrs.CONNECTION: "close"},
            ) from error
        finally:
            timer.cancel()

    return middleware


def take_longer(request: web.Request, seconds: float) -> None:
    """The body of this request may take so many seconds from now on, since it is known who sends it."""
    extend = request.get(_EXTEND)
    if extend is not None:
        extend(seconds)


def runner(app: web.Application, *, grace_seconds: float, patience: Patience = PATIENCE) -> web.AppRunner:
    """The application behind aiohttp's HTTP server, bounded in what it waits for.

    A stop waits ``grace_seconds`` for requests under way. Compressed bodies are not unpacked, since none are taken
    anywhere: nobody gets a bomb unpacked, and the inbox says why it refuses.
    """
    return web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=patience.head,
        shutdown_timeout=grace_seconds,
        # What is sent after the answer is read a little longer, so that the answer is not lost to a reset.
        lingering_time=min(_LINGER_SECONDS, patience.body),
        auto_decompress=False,
    )
