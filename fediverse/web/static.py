"""The files that come with the program: styles, scripts, icons, default pictures. Read once and kept in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from fediverse.errors import NotFound
from fediverse.web import colours

routes = web.RouteTableDef()

_FOLDER: Final = Path(__file__).parent.parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
# What icon.svg is drawn in.
_SIGN_COLOUR: Final = b"#2b5fd9"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_FOR_AN_HOUR: Final = "public, max-age=3600"


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is served."""

    body: bytes
    content_type: str
    version: str


@lru_cache(maxsize=1)
def files() -> dict[str, File]:
    """The files by their names."""
    found = {}
    for path in sorted(_FOLDER.iterdir()):
        if path.suffix in _TYPES:
            body = path.read_bytes()
            found[path.name] = File(body, _TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:10])
    return found


def asset(name: str) -> str:
    """The address of a file, which changes with its content: it may be cached for ever."""
    return f"/static/{name}?v={files()[name].version}"


@routes.get("/static/{name}")
async def static_file(request: web.Request) -> web.Response:
    """One of the files."""
    file = files().get(request.match_info["name"])
    if file is None:
        raise NotFound("There is no such file.")
    cached = _FOR_EVER if request.query.get("v") == file.version else _FOR_AN_HOUR
    return respond(request, file.body, file.content_type, etag=file.version, cached=cached)


@routes.get("/favicon.ico")
async def favicon(_request: web.Request) -> web.Response:
    """The icon that browsers ask for without being told."""
    raise web.HTTPFound(asset("icon.svg"))


@routes.get("/brand/{colour:[0-9a-f]{6}}.css")
async def brand(request: web.Request) -> web.Response:
    """The instance's colour as custom properties; the address says all of it, so it never changes."""
    colour = request.match_info["colour"]
    body = colours.stylesheet(colour).encode()
    return respond(request, body, _TYPES[".css"], etag=colour, cached=_FOR_EVER)


@routes.get("/brand/{colour:[0-9a-f]{6}}.svg")
async def sign(request: web.Request) -> web.Response:
    """The program's own sign in the instance's colour, for instances without a logo."""
    colour = request.match_info["colour"]
    drawn = files()["icon.svg"]
    body = drawn.body.replace(_SIGN_COLOUR, f"#{colours.for_white(colour)}".encode())
    return respond(request, body, drawn.content_type, etag=f"{drawn.version}-{colour}", cached=_FOR_EVER)


@routes.get("/robots.txt")
async def robots(_request: web.Request) -> web.Response:
    """What crawlers may read: public pages, not forms and not lists made for one reader."""
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in _NOT_FOR_CRAWLERS), ""]
    return web.Response(text="\n".join(lines), headers={hdrs.CACHE_CONTROL: _FOR_AN_HOUR})


_NOT_FOR_CRAWLERS: Final = (
    "/api/",
    "/authorize_interaction",
    "/compose",
    "/home",
    "/invite",
    "/login",
    "/mentions",
    "/notifications",
    "/oauth/",
    "/proxy/",
    "/reset",
    "/search",
    "/settings",
    "/setup",
)


def respond(
    request: web.Request,
    body: bytes,
    content_type: str,
    *,
    etag: str,
    cached: str,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """The bytes, or 304 for a browser that has them."""
    tag = f'"{etag}"'
    everything = {hdrs.CACHE_CONTROL: cached, hdrs.ETAG: tag, **(headers or {})}
    if tag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
        return web.Response(status=304, headers=everything)
    return web.Response(body=body, headers={**everything, hdrs.CONTENT_TYPE: content_type})
