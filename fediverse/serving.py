"""ActivityPub documents over HTTP: who asks for a document and who for a page, caching, conditional requests.

Rendered answers are kept for a second, and only as long as this process has written nothing: a crowd that asks for one
post at once costs one read, and whoever was told that something is deleted never sees it again. What a page of the
database renders to is kept by (id, version) beneath that, by whoever renders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, NoReturn

import orjson
from aiohttp import hdrs, web
from sqlalchemy import Connection

from fediverse.db import Database
from fediverse.limited import Expiring, SingleFlight

ACTIVITY_JSON: Final = "application/activity+json"
JSON: Final = "application/json"
JRD: Final = "application/jrd+json"
MAX_AGE: Final = 60
"""Seconds that caches may keep what anybody may read. A deletion reaches those who ask through a cache after that."""

_FRESH_SECONDS: Final = 1.0
_KEPT: Final = 512
_KEPT_BYTES: Final = 32 * 1024
_PAGE: Final = frozenset({"text/html", "application/xhtml+xml"})
_DOCUMENT: Final = frozenset({"application/activity+json", "application/ld+json", "application/json"})
# Types in a list, whose parameters may be quoted texts with commas in them.
# Possessive throughout: with a second way to read a space, a short header would be tried in more ways than ever end.
_RANGE: Final = re.compile(
    r'\s*+([^\s;,"]++)\s*+((?:;\s*+[^\s;,="]++\s*+(?:=\s*+(?:"[^"]*+"|[^\s;,"]*+))?\s*+)*+)(?:,|$)'
)
_MAX_ACCEPT: Final = 1000
_WEIGHT: Final = re.compile(r";\s*q\s*=\s*\"?([^;,\s\"]*)")


def prefers_page(accept: str) -> bool:
    """Whether who asks for an ActivityPub id with this Accept header wants the page for people (RFC 9110 §12.5.1).

    Only who names HTML, and no document type that weighs more; of equal weights the first named counts. Everybody
    else gets the document: the address is its id.
    """
    if "html" not in accept or len(accept) > _MAX_ACCEPT:
        return False
    best, page = 0.0, False
    for found in _RANGE.finditer(accept.lower()):
        if found[1] in _PAGE or found[1] in _DOCUMENT:
            weight = _weight(found[2])
            if weight > best:
                best, page = weight, found[1] in _PAGE
    return page


def _weight(parameters: str) -> float:
    found = _WEIGHT.search(parameters)
    try:
        return float(found[1]) if found else 1.0
    except ValueError:
        return 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A rendered document, ready to be sent. ``public``: anybody may have it, so caches may keep it."""

    body: bytes
    etag: str
    status: int = 200
    content_type: str = ACTIVITY_JSON
    public: bool = True


def answer(
    document: Mapping[str, Any], *, status: int = 200, content_type: str = ACTIVITY_JSON, public: bool = True
) -> Answer:
    """The document, rendered."""
    return of_body(orjson.dumps(document), status=status, content_type=content_type, public=public)


def of_body(body: bytes, *, status: int = 200, content_type: str = ACTIVITY_JSON, public: bool = True) -> Answer:
    """An answer with this body."""
    return Answer(body, f'"{blake2b(body, digest_size=12).hexdigest()}"', status, content_type, public)


class Answers:
    """Answers that everybody gets alike, read once for all who ask at the same time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: Expiring[Hashable, tuple[int, Answer]] = Expiring(_KEPT, _FRESH_SECONDS)
        self._flights: SingleFlight[Hashable, Answer] = SingleFlight()

    async def get(self, key: Hashable, read: Callable[[Connection], Answer]) -> Answer:
        """What ``read(tx)`` gives, or gave after the last write of this process. Raises what it raises."""
        commits = self._database.commits
        kept = self._kept.get(key)
        if kept is not None and kept[0] == commits:
            return kept[1]
        # By commits too: who was told of a write must not be given what was read before it.
        found = await self._flights.do((key, commits), lambda: self._database.read(read))
        if len(found.body) <= _KEPT_BYTES:
            self._kept.put(key, (commits, found))
        return found


ANSWERS: web.AppKey[Answers] = web.AppKey("answers")


def respond(request: web.Request, found: Answer, *, signed: bool = False, cors: bool = True) -> web.Response:
    """The answer as a response: 304 to whom already has it, and never in a cache when it depends on who asks."""
    headers = {hdrs.VARY: hdrs.ACCEPT, hdrs.ETAG: found.etag}
    if found.public and not signed:
        headers[hdrs.CACHE_CONTROL] = f"public, max-age={MAX_AGE}"
    else:
        headers[hdrs.CACHE_CONTROL] = "private, no-store"
    if cors:
        headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    if found.status == 200 and _is_known(request, found.etag):
        return web.Response(status=304, headers=headers)
    headers[hdrs.CONTENT_TYPE] = found.content_type
    return web.Response(body=found.body, status=found.status, headers=headers)


def to_page(address: str) -> NoReturn:
    """Sends the browser to the page for people, and tells caches that this hangs on the Accept header."""
    headers = {hdrs.VARY: hdrs.ACCEPT, hdrs.CACHE_CONTROL: f"public, max-age={MAX_AGE}"}
    raise web.HTTPFound(address, headers=headers)


def _is_known(request: web.Request, etag: str) -> bool:
    known = request.headers.get(hdrs.IF_NONE_MATCH)
    if known is None:
        return False
    return known.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in known.split(",")]
