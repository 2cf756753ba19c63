"""Searching for accounts, hashtags, posts and addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import entities, keys, search, statuses, trends
from fediverse.access import Credentials
from fediverse.api import accounts, listings, respond
from fediverse.api.respond import Call
from fediverse.errors import Invalid, Unauthorized
from fediverse.params import Params, query

routes = web.RouteTableDef()

_SCOPE: Final = "read:search"
_LIMIT: Final = (20, 40)
_OFFSET: Final = 10_000
_TYPES: Final = frozenset({"accounts", "hashtags", "statuses"})
_LONGEST: Final = 2048

_Found = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A search as it was asked for."""

    words: str
    types: frozenset[str]
    limit: int
    offset: int
    goes_on: bool
    following: bool
    exclude_unreviewed: bool
    resolve: bool
    author_id: int | None
    max_id: int | None
    min_id: int | None
    #: What to look for in posts; None when the words say nothing of that.
    posts: search.Query | None


@routes.get("/api/v2/search")
async def find(request: web.Request) -> web.Response:
    """What matches the words: accounts, hashtags and posts known here, or what an address names.

    With ``resolve`` (for those who are signed in only) handles and addresses are asked of their servers. Posts are
    found by those who are signed in.
    """
    return await _find(request, lambda found: found)


@routes.get("/api/v1/search")
async def find_in_the_old_shape(request: web.Request) -> web.Response:
    """The same, with hashtags as plain names."""

    def older(found: _Found) -> _Found:
        return {**found, "hashtags": [tag["name"] for tag in found["hashtags"]]}

    return await _find(request, older)


async def _find(request: web.Request, shape: Callable[[_Found], _Found]) -> web.Response:
    asked = _read(query(request))
    token = respond.bearer_token(request)
    if token is None and (asked.resolve or asked.goes_on):
        raise Unauthorized("Sign in to search other servers, and to see more results.")
    fetched: tuple[Row[Any] | None, Row[Any] | None] = (None, None)
    if token is not None and asked.resolve and not asked.offset:
        # Nothing is fetched from anywhere for somebody who may not search.
        who: Credentials = await request.app[keys.DATABASE].read(respond.authorise, token, _SCOPE)
        assert who.is_person
        fetched = await _resolve(request, asked.words, asked.types)

    def work(tx: Connection, call: Call) -> _Found:
        found: _Found = {"accounts": [], "statuses": [], "hashtags": []}
        if _is_address(asked.words):
            actor, status = _named(tx, call, asked.words, fetched)
            if actor is not None and "accounts" in asked.types:
                found["accounts"] = [entities.account(actor, call.site)]
            if status is not None and "statuses" in asked.types:
                found["statuses"] = [listings.status(tx, status, call)]
            if actor is not None or status is not None:
                return shape(found)
        else:
            found["accounts"] = _accounts(tx, call, asked, fetched[0])
            found["hashtags"] = _hashtags(tx, call, asked)
        found["statuses"] = _posts(tx, call, asked)
        return shape(found)

    return await respond.read(request, work, scope=_SCOPE, anonymous=True)


def _read(asked: Params) -> _Asked:
    words, wanted = asked.text("q").strip(), asked.text("type")
    if not words or len(words) > _LONGEST:
        raise Invalid(f"Say what to look for in “q”, in at most {_LONGEST} characters.")
    if wanted and wanted not in _TYPES:
        raise Invalid("The type is one of accounts, hashtags and statuses.")
    posts = None
    if wanted in {"", "statuses"}:
        try:
            posts = search.parse(words)
        except Invalid:
            if wanted:  # else accounts and hashtags are found all the same
                raise
    offset = asked.integer("offset", 0, low=0, high=_OFFSET)
    return _Asked(
        words=words,
        types=frozenset({wanted} if wanted else _TYPES),
        limit=asked.integer("limit", _LIMIT[0], low=1, high=_LIMIT[1]),
        offset=offset if wanted else 0,  # three lists do not go on together
        goes_on=offset > 0,
        following=asked.flag("following"),
        exclude_unreviewed=asked.flag("exclude_unreviewed"),
        resolve=asked.flag("resolve"),
        author_id=asked.id("account_id"),
        max_id=asked.id("max_id"),
        min_id=asked.id("min_id"),
        posts=posts,
    )


def _accounts(tx: Connection, call: Call, asked: _Asked, resolved: Row[Any] | None) -> list[Any]:
    if "accounts" not in asked.types or asked.words.startswith("#"):
        return []
    rows = list(
        search.accounts(
            tx,
            call.urls,
            asked.words,
            limit=asked.limit,
            offset=asked.offset,
            viewer_id=call.viewer_id,
            following=asked.following and call.viewer_id is not None,
        )
    )
    if resolved is not None and all(row.id != resolved.id for row in rows):
        rows = [resolved, *rows][: asked.limit]
    return [entities.account(row, call.site) for row in rows]


def _hashtags(tx: Connection, call: Call, asked: _Asked) -> list[Any]:
    if "hashtags" not in asked.types or asked.words.startswith("@") or " " in asked.words:
        return []
    found = statuses.tags_named(tx, asked.words.removeprefix("#"), limit=asked.limit, offset=asked.offset)
    if asked.exclude_unreviewed:
        allowed = trends.allowed_among(tx, "tag", [tag.id for tag in found])
        found = [tag for tag in found if tag.id in allowed]
    return listings.tags(tx, found, call)


def _posts(tx: Connection, call: Call, asked: _Asked) -> list[Any]:
    if call.viewer_id is None or asked.posts is None or asked.posts.is_empty:
        return []
    heads = search.posts(
        tx,
        call.urls,
        asked.posts,
        search.Slice(asked.limit, asked.offset, asked.max_id, asked.min_id),
        viewer_id=call.viewer_id,
        author_id=asked.author_id,
        now=call.now,
    )
    return list(listings.statuses(tx, heads, call).items)


async def _resolve(request: web.Request, words: str, types: frozenset[str]) -> tuple[Row[Any] | None, Row[Any] | None]:
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
