"""Headers that protect the reader, set in one place on every response of every route, errors included.

No inline script or style is allowed anywhere, so markup that slipped through cleaning still does nothing.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from fediverse import keys

_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
#: For files that came from elsewhere: whatever they are, they run nothing and frame nothing.
FILE_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"

_HEADERS: Final = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
_HSTS: Final = "max-age=31536000"


def secure(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """The response carries the headers; what a handler set itself stays.

    Called for every response by the outermost middleware, before anything of it is sent.
    """
    headers = response.headers
    for name, value in _HEADERS:
        if name not in headers:
            headers[name] = value
    if isinstance(request, web.Request) and request.app[keys.SETTINGS].secure:
        headers.setdefault("Strict-Transport-Security", _HSTS)


def allow_form_target(response: web.StreamResponse, target: str) -> None:
    """A form on this page may lead to ``target`` after its answer: browsers hold redirects to ``form-action`` too."""
    parts = urlsplit(target)
    source = f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else f"{parts.scheme}:"
    # A source expression cannot hold these; an address that does is left to the browser to refuse.
    if not set(source) & set(" ;,'\""):
        response.headers["Content-Security-Policy"] = f"{_POLICY} {source}"
