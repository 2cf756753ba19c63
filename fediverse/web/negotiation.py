"""People and servers ask for the same addresses; the Accept header tells them apart."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web

#: Every answer that depends on the Accept header says so, or a cache gives the page to a server, or the reverse.
VARY: Final = "Accept"

_ACTIVITY: Final = frozenset({"application/activity+json", "application/ld+json"})
_PAGE: Final = frozenset({"text/html", "application/xhtml+xml"})


def wants_activity(request: web.BaseRequest) -> bool:
    """Whether the caller would rather have the ActivityPub document than the page (RFC 9110 §12.5.1).

    Of equal weights the first one named counts. ``application/ld+json`` counts whatever its profile, since some
    servers leave it out; ``*/*`` alone, as of curl and browsers, means the page.
    """
    accept = request.headers.get(hdrs.ACCEPT, "")
    if "+json" not in accept:
        return False
    best, wanted = 0.0, False
    for part in accept.split(","):
        kind, _, parameters = part.partition(";")
        name = kind.strip().lower()
        if name in _ACTIVITY or name in _PAGE:
            weight = _weight(parameters)
            if weight > best:
                best, wanted = weight, name in _ACTIVITY
    return wanted


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
