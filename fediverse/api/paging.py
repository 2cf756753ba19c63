"""Pages in the client API: which slice is asked for, and the Link header that leads on (RFC 8288)."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from fediverse.paging import Page
from fediverse.params import Params

_CURSORS: Final = frozenset({"max_id", "since_id", "min_id"})
#: (default, most) entries of a page.
STATUSES: Final = (20, 40)
ACCOUNTS: Final = (40, 80)
NOTIFICATIONS: Final = (40, 80)


def page_of(params: Params, size: tuple[int, int] = STATUSES) -> Page:
    """The page that the parameters ask for. Raises BadRequest."""
    return Page(
        limit=params.integer("limit", size[0], low=1, high=size[1]),
        max_id=params.id("max_id"),
        since_id=params.id("since_id"),
        min_id=params.id("min_id"),
    )


def link_header(request: web.BaseRequest, base_url: str, newest: int, oldest: int) -> str:
    """The addresses of the page before and the page after one that reaches from ``newest`` to ``oldest``.

    There is always a next one to ask for; the page that turns out empty has no Link header, and so is the end.
    """
    raw = request.rel_url.raw_query_string
    kept = [(name, value) for name, value in parse_qsl(raw, keep_blank_values=True) if name not in _CURSORS]
    address = f"{base_url}{request.rel_url.raw_path}"
    older = urlencode([*kept, ("max_id", oldest)])
    newer = urlencode([*kept, ("min_id", newest)])
    return f'<{address}?{older}>; rel="next", <{address}?{newer}>; rel="prev"'
