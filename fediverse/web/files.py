"""Files that people or other servers made, as they are served: whole or in part, as what their first bytes say.

Whatever a file turns out to be, it runs nothing. Videos are asked for in parts: Safari plays none otherwise.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final

from aiohttp import hdrs, web

from fediverse.web.headers import FILE_POLICY

_HEADERS: Final = {
    "Content-Security-Policy": FILE_POLICY,
    # Pages of other servers and clients show these files.
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": "*",
    hdrs.CONTENT_DISPOSITION: "inline",
    hdrs.ACCEPT_RANGES: "bytes",
}

Read = Callable[[int, int], AsyncIterator[bytes]]


def not_modified(request: web.Request, etag: str, cached: str) -> web.Response | None:
    """304 for a browser that has the file."""
    if f'"{etag}"' not in request.headers.get(hdrs.IF_NONE_MATCH, ""):
        return None
    return web.Response(status=304, headers={hdrs.ETAG: f'"{etag}"', hdrs.CACHE_CONTROL: cached, **_HEADERS})


def serve(request: web.Request, read: Read, *, size: int, media_type: str, etag: str, cached: str) -> web.Response:
    """The file, or the part that was asked for. ``read(start, end)`` yields its bytes."""
    headers = {
        **_HEADERS,
        hdrs.CACHE_CONTROL: cached,
        hdrs.ETAG: f'"{etag}"',
        hdrs.CONTENT_TYPE: media_type,
    }
    part = _part(request, size, etag)
    if part is None:
        start, end, status = 0, size, 200
    else:
        start, end = part
        if start >= end:
            headers = {**_HEADERS, hdrs.CONTENT_RANGE: f"bytes */{size}"}
            return web.Response(status=416, headers=headers)
        headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{end - 1}/{size}"
        status = 206
    headers[hdrs.CONTENT_LENGTH] = str(end - start)
    if request.method == hdrs.METH_HEAD or start == end:
        return web.Response(status=status, headers=headers)
    return web.Response(status=status, headers=headers, body=read(start, end))


def _part(request: web.Request, size: int, etag: str) -> tuple[int, int] | None:
    """Start and end of the one range that is asked for; None for the whole, as several ranges or none."""
    wanted = request.headers.get(hdrs.RANGE)
    condition = request.headers.get(hdrs.IF_RANGE)
    if wanted is None or (condition is not None and condition.strip() != f'"{etag}"'):
        return None
    try:
        asked = request.http_range
    except ValueError:  # a form that is not understood is as none (RFC 9110 §14.2)
        return None
    start, stop = asked.start, asked.stop
    if start is None:
        return None
    if start < 0:  # the last so many bytes
        return max(0, size + start), size
    return start, size if stop is None else min(stop, size)
