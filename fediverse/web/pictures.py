"""Files as they are served: stored ones by their key, those of other servers through the proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from sqlalchemy import Connection

from fediverse import keys, media, moderation
from fediverse.errors import BadRequest, NotFound
from fediverse.media.cache import CLIP_BYTES
from fediverse.remote import RemoteError
from fediverse.text import fold_host
from fediverse.web import files
from fediverse.web.limits import check_picture

routes = web.RouteTableDef()

# What servers declare files as; what is in them decides.
_DECLARED: Final = frozenset(
    {
        *("image/jpeg", "image/jpg", "image/png", "image/gif", "image/webp", "image/avif"),
        *("video/mp4", "video/webm", "video/quicktime", "video/x-m4v", "video/ogg", "application/ogg"),
        *("audio/mpeg", "audio/mp3", "audio/mp4", "audio/x-m4a", "audio/m4a", "audio/aac", "audio/ogg", "audio/opus"),
        *("audio/webm", "audio/wav", "audio/x-wav", "audio/wave", "audio/flac", "audio/x-flac"),
        "application/octet-stream",
    }
)
_ACCEPT: Final = "image/avif,image/webp,image/png,image/jpeg,image/gif;q=0.9,video/*;q=0.8,audio/*;q=0.8"
_FETCH_SECONDS: Final = 60.0
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_FOR_A_WEEK: Final = "public, max-age=604800"
_NO_PICTURE: Final = "There is no such picture."


@routes.get("/media/{key}")
async def stored(request: web.Request) -> web.Response:
    """A stored file. Its address never shows anything else, so it may be kept for ever."""
    key = request.match_info["key"]
    if not await request.app[keys.DATABASE].read(media.is_shown, key):
        raise NotFound(_NO_PICTURE)
    known = files.not_modified(request, key, _FOR_EVER)
    if known is not None:
        return known
    store = request.app[keys.PICTURES]
    return files.serve(
        request,
        lambda start, end: store.read(key, start, end),
        size=await store.size(key),
        media_type=media.content_type(key),
        etag=key,
        cached=_FOR_EVER,
    )


@routes.get("/proxy/{mac}/{url}")
async def proxied(request: web.Request) -> web.Response:
    """A picture, video or sound of another server, for an address that this server itself handed out.

    404 for every other address, for those of servers whose media are refused, and for what cannot be had; 429 for
    whoever has far too much fetched.
    """
    site, mac, encoded = request.app[keys.SITE], request.match_info["mac"], request.match_info["url"]
    url = site.unproxied(mac, encoded)
    if url is None:
        raise NotFound(_NO_PICTURE)
    # A proxy that asks itself would never end, whether it was told to or redirected.
    if f"(+{site.urls.base_url}/)" in request.headers.get(hdrs.USER_AGENT, ""):
        raise NotFound(_NO_PICTURE)
    if not await _may_ask(request, _host(url)):
        raise NotFound(_NO_PICTURE)
    known = files.not_modified(request, mac, _FOR_A_WEEK)
    if known is not None:
        return known
    cache = request.app[keys.REMOTE_FILES]
    kept = await cache.find(url)
    if kept is None:
        check_picture(request)
        try:
            # However many ask for one file at the same moment, its server is asked once.
            kept = await cache.fetch(url, lambda: _fetched(request, url))
        except RemoteError as error:
            raise NotFound("This file cannot be had from its server.") from error
    return files.serve(
        request,
        lambda start, end: cache.read(kept, start, end),
        size=kept.size,
        media_type=kept.media_type,
        etag=mac,
        cached=_FOR_A_WEEK,
    )


@asynccontextmanager
async def _fetched(request: web.Request, url: str) -> AsyncIterator[AsyncIterator[bytes]]:
    """The file while it arrives; every host that the way leads to is one that may be asked."""

    async def permit(host: str) -> bool:
        return await _may_ask(request, _host(f"//{host}"))

    remote = request.app[keys.REMOTE]
    async with remote.stream_bytes(
        url, max_bytes=CLIP_BYTES, accept=_ACCEPT, types=_DECLARED, seconds=_FETCH_SECONDS, permit=permit
    ) as stream:
        yield stream.chunks


async def _may_ask(request: web.Request, host: str) -> bool:
    urls = request.app[keys.URLS]
    if host in {fold_host(urls.host), fold_host(urls.domain)}:
        return False
    return not await request.app[keys.DATABASE].read(_is_refused, host)


def _host(url: str) -> str:
    try:
        return fold_host(urlsplit(url).netloc)
    except (ValueError, BadRequest) as error:
        raise NotFound(_NO_PICTURE) from error


def _is_refused(tx: Connection, host: str) -> bool:
    return moderation.rejects_media(tx, host)
