"""Pictures as they are served: stored ones by their key, those of other servers through the proxy.

Whatever a file turns out to be, it is shown as the kind of picture that its first bytes say, and runs nothing.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from sqlalchemy import Connection

from fediverse import keys, media, moderation
from fediverse.errors import BadRequest, NotFound
from fediverse.limited import SingleFlight
from fediverse.remote import RemoteError, TooBig
from fediverse.text import fold_host
from fediverse.web.headers import FILE_POLICY
from fediverse.web.limits import check_picture
from fediverse.web.static import respond

routes = web.RouteTableDef()

_PROXIED_BYTES: Final = 10 * 1024 * 1024
# What servers declare pictures as; what is in them decides.
_DECLARED: Final = frozenset(
    {"image/jpeg", "image/jpg", "image/png", "image/gif", "image/webp", "image/avif", "application/octet-stream"}
)
_ACCEPT: Final = "image/avif,image/webp,image/png,image/jpeg,image/gif;q=0.9"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_FOR_A_WEEK: Final = "public, max-age=604800"
_HEADERS: Final = {
    "Content-Security-Policy": FILE_POLICY,
    # Pages of other servers and clients show these pictures.
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": "*",
    hdrs.CONTENT_DISPOSITION: "inline",
}
_NO_PICTURE: Final = "There is no such picture."

#: Pictures that are being fetched, by their address.
FETCHES: web.AppKey[SingleFlight[str, tuple[str, bytes]]] = web.AppKey("picture_fetches")


@routes.get("/media/{key}")
async def stored(request: web.Request) -> web.Response:
    """A stored picture. Its address never shows anything else, so it may be kept for ever."""
    key = request.match_info["key"]
    row = await request.app[keys.DATABASE].read(media.find, key)
    if row is None:
        raise NotFound(_NO_PICTURE)
    data = await request.app[keys.PICTURES].get(key)
    return respond(request, data, row.content_type, etag=key, cached=_FOR_EVER, headers=_HEADERS)


@routes.get("/proxy/{mac}/{url}")
async def proxied(request: web.Request) -> web.Response:
    """A picture of another server, for an address that this server itself handed out.

    404 for every other address, for those of blocked servers, and for what cannot be had; 429 for whoever has far too
    much fetched.
    """
    site, mac, encoded = request.app[keys.SITE], request.match_info["mac"], request.match_info["url"]
    url = site.unproxied(mac, encoded)
    if url is None:
        raise NotFound(_NO_PICTURE)
    host = _host(url)
    # A proxy that asks itself would never end, whether it was told to or redirected.
    asks_itself = f"(+{site.urls.base_url}/)" in request.headers.get(hdrs.USER_AGENT, "")
    if asks_itself or host in {fold_host(site.urls.host), fold_host(site.urls.domain)}:
        raise NotFound(_NO_PICTURE)
    if await request.app[keys.DATABASE].read(_is_blocked, host):
        raise NotFound(_NO_PICTURE)
    etag = mac
    if f'"{etag}"' in request.headers.get(hdrs.IF_NONE_MATCH, ""):
        return respond(request, b"", "", etag=etag, cached=_FOR_A_WEEK, headers=_HEADERS)
    check_picture(request)
    remote = request.app[keys.REMOTE]
    try:
        # However many ask for one picture at the same moment, its server is asked once, and it is in memory once.
        _, data = await request.app[FETCHES].do(
            url, lambda: remote.get_bytes(url, max_bytes=_PROXIED_BYTES, accept=_ACCEPT, types=_DECLARED)
        )
    except TooBig as error:
        raise NotFound("This picture is too large to be shown here.") from error
    except RemoteError as error:
        raise NotFound("This picture cannot be had from its server.") from error
    kind = media.sniff(data)
    if kind is None:
        raise NotFound(_NO_PICTURE)
    return respond(request, data, kind, etag=etag, cached=_FOR_A_WEEK, headers=_HEADERS)


def _host(url: str) -> str:
    try:
        return fold_host(urlsplit(url).netloc)
    except (ValueError, BadRequest) as error:
        raise NotFound(_NO_PICTURE) from error


def _is_blocked(tx: Connection, host: str) -> bool:
    return moderation.host_severity(tx, host) == "block"
