"""Searching for accounts, hashtags and addresses."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import entities, keys, search, statuses
from fediverse.access import Credentials
from fediverse.api import accounts, listings, respond
from fediverse.api.respond import Call
from fediverse.errors import Invalid, Unauthorized
from fediverse.params import query

routes = web.RouteTableDef()

_SCOPE: Final = "read:search"
_LIMIT: Final = (20, 40)
_OFFSET: Final = 10_000
_TYPES: Final = frozenset({"accounts", "hashtags", "statuses"})
_LONGEST: Final = 2048


@routes.get("/api/v2/search")
async def find(request: web.Request) -> web.Response:
    """What matches the words: accounts and hashtags known here, or what an address names.

    With ``resolve`` (for those who are signed in only) handles and addresses are asked of their servers.
    """
    asked = query(request)
    words, wanted = asked.text("q").strip(), asked.text("type")
    if not words or len(words) > _LONGEST:
        raise Invalid(f"Say what to look for in “q”, in at most {_LONGEST} characters.")
    if wanted and wanted not in _TYPES:
        raise Invalid("The type is one of accounts, hashtags and statuses.")
    types = {wanted} if wanted else set(_TYPES)
    limit = asked.integer("limit", _LIMIT[0], low=1, high=_LIMIT[1])
    offset = asked.integer("offset", 0, low=0, high=_OFFSET)
    following, resolve = asked.flag("following"), asked.flag("resolve")
    token = respond.bearer_token(request)
    if token is None and (resolve or offset):
        raise Unauthorized("Sign in to search other servers, and to see more results.")
    fetched: tuple[Row[Any] | None, Row[Any] | None] = (None, None)
    if token is not None and resolve and not offset:
        # Nothing is fetched from anywhere for somebody who may not search.
        who: Credentials = await request.app[keys.DATABASE].read(respond.authorise, token, _SCOPE)
        assert who.is_person
        fetched = await _resolve(request, words, types)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        found: dict[str, list[dict[str, Any]]] = {"accounts": [], "statuses": [], "hashtags": []}
        if _is_address(words):
            actor, status = _named(tx, call, words, fetched)
            if actor is not None and "accounts" in types:
                found["accounts"] = [entities.account(actor, call.site)]
            if status is not None and "statuses" in types:
                found["statuses"] = [listings.status(tx, status, call)]
            return found
        if "accounts" in types and not words.startswith("#"):
            followed_by = call.viewer_id if following else None
            rows = list(search.accounts(tx, call.urls, words, limit=limit, offset=offset, followed_by=followed_by))
            resolved = fetched[0]
            if resolved is not None and all(row.id != resolved.id for row in rows):
                rows = [resolved, *rows][:limit]
            found["accounts"] = [entities.account(row, call.site) for row in rows]
        if "hashtags" in types and not words.startswith("@") and " " not in words and not offset:
            tags = statuses.tags_named(tx, words.removeprefix("#"), limit=limit)
            signed_in = call.viewer_id is not None
            found["hashtags"] = [entities.tag(tag.display, call.site, signed_in=signed_in) for tag in tags]
        return found

    return await respond.read(request, work, scope=_SCOPE, anonymous=True)


async def _resolve(request: web.Request, words: str, types: set[str]) -> tuple[Row[Any] | None, Row[Any] | None]:
    """The account or the status that the words name, asked of their server when unknown."""
    discovery = request.app[keys.DISCOVERY]
    if not _is_address(words):
        return (await accounts.resolve_handle(request, words) if "accounts" in types else None), None
    actor = await discovery.find_uri(words) if "accounts" in types else None
    if actor is not None or "statuses" not in types:
        return actor, None
    return None, await discovery.find_object(words)


def _named(
    tx: Connection, call: Call, address: str, fetched: tuple[Row[Any] | None, Row[Any] | None]
) -> tuple[Row[Any] | None, Row[Any] | None]:
    """The account and the status that an address names, as far as the viewer may see them."""
    actor, status = fetched
    if actor is None:
        actor = accounts.by_address(tx, call.urls, address)
    if status is None and actor is None:
        status = statuses.by_uri(tx, call.urls, address)
    if status is not None and not statuses.visible(tx, status, call.viewer_id):
        status = None
    return actor, status


def _is_address(words: str) -> bool:
    try:
        parts = urlsplit(words)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)
