"""Streaming: what happens, as it happens. One WebSocket for any number of streams, or server-sent events for one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import orjson
from aiohttp import HttpVersion11, hdrs, web
from sqlalchemy import Connection

from fediverse import access, clock, keys
from fediverse.access import Credentials
from fediverse.api import respond
from fediverse.caller import client_address
from fediverse.errors import BadRequest, FediverseError, Forbidden, NotFound, TooManyRequests, Unauthorized
from fediverse.params import Params, query
from fediverse.streaming import EventStream, Refused, Streamer, Taken, WebSocket

routes = web.RouteTableDef()

_OF_AN_ACCOUNT: Final = 60
_OF_AN_ADDRESS: Final = 200
_EVENT_STREAM: Final = {
    hdrs.CONTENT_TYPE: "text/event-stream",
    hdrs.CACHE_CONTROL: "private, no-store",
    "X-Accel-Buffering": "no",  # nginx passes each event on at once
    "X-Content-Type-Options": "nosniff",
}
_ERRORS: Final[dict[int, type[FediverseError]]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    429: TooManyRequests,
}

STREAMER: web.AppKey[Streamer] = web.AppKey("streamer")


async def means(app: web.Application) -> AsyncIterator[None]:
    """Streams are served as long as the application runs."""
    streamer = app[STREAMER] = Streamer(app[keys.DATABASE], app[keys.HUB], app[keys.SITE])
    task = asyncio.create_task(streamer.run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def end(app: web.Application) -> None:
    """The server stops: every client is told, and comes back to the next one."""
    app[STREAMER].close()


@routes.get("/api/v1/streaming/health", allow_head=False)
async def health(_request: web.Request) -> web.Response:
    """Streaming works."""
    return web.Response(text="OK", headers={hdrs.CACHE_CONTROL: "private, no-store"})


@routes.get("/api/v1/streaming", allow_head=False)
async def websocket(request: web.Request) -> web.StreamResponse:
    """Streams over a WebSocket: the one of the query, and those that are subscribed to by messages."""
    if request.headers.get(hdrs.UPGRADE, "").strip().lower() != "websocket":
        raise BadRequest("This address speaks WebSocket. For server-sent events ask for /api/v1/streaming/user.")
    offered = [name.strip() for name in request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")]
    asked = query(request)
    # Browsers cannot set headers here: the token comes in the query or as the name of a protocol.
    credentials = await _credentials(request, asked.text("access_token") or offered[0])
    streamer = _with_room(request, credentials)
    socket = WebSocket(streamer, credentials, client_address(request), dumps=orjson.dumps)
    # Uncompressed: compression keeps hundreds of kilobytes per connection, and would be done anew for each.
    head = web.WebSocketResponse(protocols=offered, compress=False, autoping=False)
    await head.prepare(request)
    socket.take(request)
    streamer.open(socket)
    if asked.has("stream"):
        streamer.received(socket, orjson.dumps({"type": "subscribe", **_params(asked)}))
    return Taken()


def _events(path: str, name: str) -> None:
    @routes.get(f"/api/v1/streaming/{path}", allow_head=False)
    async def handler(request: web.Request) -> web.StreamResponse:
        asked = query(request)
        only_media = name.startswith("public") and asked.flag("only_media")
        return await _serve_events(request, f"{name}:media" if only_media else name, asked)

    handler.__doc__ = f"The stream {name} as server-sent events."


for _path, _name in (
    ("user", "user"),
    ("user/notification", "user:notification"),
    ("public", "public"),
    ("public/local", "public:local"),
    ("public/remote", "public:remote"),
    ("hashtag", "hashtag"),
    ("hashtag/local", "hashtag:local"),
    ("list", "list"),
    ("direct", "direct"),
):
    _events(_path, _name)


async def _serve_events(request: web.Request, name: str, asked: Params) -> web.StreamResponse:
    if request.version < HttpVersion11:
        raise BadRequest("Streams need HTTP/1.1: set the proxy's protocol version accordingly.")
    credentials = await _credentials(request, asked.text("access_token"))
    streamer = _with_room(request, credentials)
    socket = EventStream(streamer, credentials, client_address(request))
    try:
        wanted = await streamer.admit(socket, name, _params(asked))
    except Refused as error:
        raise _ERRORS.get(error.status, BadRequest)(error.message) from error
    head = web.StreamResponse(headers=_EVENT_STREAM)
    await head.prepare(request)
    socket.take(request)
    streamer.open(socket)
    streamer.board.subscribe(socket, wanted)
    socket.beat()  # so that whoever is in between passes the head on
    return Taken()


async def _credentials(request: web.Request, elsewhere: str) -> Credentials | None:
    """Who listens; None for nobody. Raises Unauthorized for a token that opens nothing."""
    token = respond.bearer_token(request) or elsewhere or None
    if token is None:
        return None
    if len(token) > respond.MAX_TOKEN:
        raise respond.unauthorized()
    database, now = request.app[keys.DATABASE], clock.now()

    def unit(tx: Connection) -> Credentials:
        return respond.authorise(tx, token, "", application=True)

    credentials = await database.read(unit)
    if access.is_stale(credentials, now=now):
        await respond.mark_used(database, credentials, address=client_address(request), now=now)
    return credentials


def _with_room(request: web.Request, credentials: Credentials | None) -> Streamer:
    """The streamer, where whoever asks has not too many connections open. Raises TooManyRequests."""
    streamer = request.app[STREAMER]
    actor_id = credentials.actor_id if credentials is not None else 0
    most = _OF_AN_ACCOUNT if actor_id else _OF_AN_ADDRESS
    limited = request.app[keys.SETTINGS].rate_limits == "on"
    if limited and streamer.board.count(actor_id, client_address(request)) >= most:
        raise TooManyRequests(f"{most} streaming connections are open already: close one first.")
    return streamer


def _params(asked: Params) -> dict[str, Any]:
    return {name: asked.text(name) for name in ("stream", "list", "tag") if asked.has(name)}
