"""The inboxes: one for everybody here, one for each account."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web

from fediverse import keys, throttle
from fediverse.actors.signers import Signers
from fediverse.errors import TooLarge
from fediverse.inbox.receive import TOO_LARGE, Posted, Receiver

routes = web.RouteTableDef()


def add_routes(app: web.Application) -> None:
    """The application has inboxes, and the means to tell who signed."""
    app.add_routes(routes)
    app[throttle.LOOKING_UP] = Counter()
    app.cleanup_ctx.append(_means)


async def _means(app: web.Application) -> AsyncIterator[None]:
    database, urls = app[keys.DATABASE], app[keys.URLS]
    app[keys.SIGNERS] = signers = Signers(database, app[keys.DISCOVERY], urls)
    app[keys.RECEIVER] = Receiver(database, signers, urls)
    yield


@routes.post("/inbox")
@routes.post("/users/{name:[A-Za-z0-9_]+}/inbox")
async def inbox(request: web.Request) -> web.Response:
    """Store an activity that another server sends: 202 once that is durable (ActivityPub §5.2)."""
    await request.app[keys.RECEIVER].receive(
        Posted(
            path=request.raw_path,
            headers=list(request.headers.items()),
            content_type=request.headers.get("Content-Type", ""),
            content_encoding=request.headers.get("Content-Encoding", ""),
            length=request.content_length,
            read=partial(read_body, request),
            look_up=partial(throttle.look_up, request),
            quota=throttle.Quota(request),
            recipient=request.match_info.get("name", ""),
        )
    )
    return web.Response(status=202)


async def read_body(request: web.Request, limit: int) -> bytes:
    """The request's body. Raises TooLarge as soon as it is clear that it has more than ``limit`` bytes."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > limit:
            raise TooLarge(TOO_LARGE)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
