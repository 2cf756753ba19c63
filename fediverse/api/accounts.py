"""Reading accounts: one, its posts, whom it follows, how one stands to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import entities, keys, loading, params, search, statuses, timelines
from fediverse.actors import directory, relations
from fediverse.api import listings, respond
from fediverse.api.paging import ACCOUNTS, page_of
from fediverse.api.respond import NOT_FOUND, Call, Listing, path_id
from fediverse.errors import BadRequest, NotFound
from fediverse.paging import Page
from fediverse.params import query
from fediverse.tables.actors import INSTANCE_ACTOR_ID
from fediverse.text import fold_host, split_handle
from fediverse.urls import Urls

routes = web.RouteTableDef()
_RELATIONSHIPS: Final = 100
_SEARCH: Final = (40, 80)
_FAMILIAR: Final = 40
_SEVERAL: Final = 40
_OFFSET: Final = 10_000

_Pairs = list[tuple[int, int]]


def find(tx: Connection, actor_id: int) -> Row[Any]:
    """The account with this id. Raises NotFound; the instance actor and deleted ones do not exist for clients."""
    row = directory.by_id(tx, actor_id) if actor_id != INSTANCE_ACTOR_ID else None
    if row is None or row.deleted_at is not None:
        raise NotFound(NOT_FOUND)
    return row


def local_or_remote(handle: str, urls: Urls) -> tuple[str, str]:
    """User name and host of a handle, the host empty for accounts here. Raises BadRequest for what is no handle."""
    username, host = split_handle(handle)
    here = host is None or host in {fold_host(urls.domain), fold_host(urls.host)}
    return username, "" if here or host is None else host


def by_address(tx: Connection, urls: Urls, address: str) -> Row[Any] | None:
    """The account that an id, or the address of a page here, names among those known here."""
    here = urls.parse(address)
    if here is not None and here.kind != "actor":
        return None
    row = directory.by_uri(tx, urls, urls.actor(here.username) if here is not None else address)
    return row if row is not None and row.deleted_at is None and row.id != INSTANCE_ACTOR_ID else None


@routes.get("/api/v1/accounts/lookup")
async def lookup(request: web.Request) -> web.Response:
    """The account of a handle, among those known here."""
    handle = query(request).text("acct")

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        try:
            username, host = local_or_remote(handle, call.urls)
        except BadRequest:
            raise NotFound(NOT_FOUND) from None
        row = directory.by_handle(tx, username, host)
        if row is None or row.deleted_at is not None:
            raise NotFound(NOT_FOUND)
        return entities.account(row, call.site)

    return await respond.read(request, work, scope="read:accounts", anonymous=True)


@routes.get("/api/v1/accounts/relationships")
async def relationships(request: web.Request) -> web.Response:
    """How the signed-in actor stands to each of some accounts."""
    asked = query(request)
    wanted = asked.ids("id", most=_RELATIONSHIPS)

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        existing = [row.id for row in loading.in_order(tx, wanted)]
        found = relations.relationships(tx, call.actor_id, existing, now=call.now) if existing else []
        return [entities.relationship(relationship) for relationship in found]

    return await respond.read(request, work, scope="read:follows")


@routes.get("/api/v1/accounts/familiar_followers")
async def familiar_followers(request: web.Request) -> web.Response:
    """Who of those whom the actor follows follows each of some accounts, too."""
    wanted = (await params.read(request)).ids("id", most=_FAMILIAR)  # some clients send a body with it

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        known = [row for row in loading.in_order(tx, wanted) if row.deleted_at is None]
        open_ones = [row.id for row in known if not row.hide_relations]
        pairs = relations.familiar_followers(tx, call.actor_id, open_ones) if open_ones else []
        rows = loading.accounts(tx, {follower_id for _, follower_id in pairs})
        found: dict[int, list[dict[str, Any]]] = {row.id: [] for row in known}
        for target_id, follower_id in pairs:
            found[target_id].append(entities.account(rows[follower_id], call.site))
        return [{"id": str(target_id), "accounts": accounts} for target_id, accounts in found.items()]

    return await respond.read(request, work, scope="read:follows")


@routes.get("/api/v1/accounts/search")
async def find_accounts(request: web.Request) -> web.Response:
    """Accounts by handle or name; with ``resolve`` a whole handle is also asked of its server."""
    asked = query(request)
    words = asked.text("q")
    limit = asked.integer("limit", _SEARCH[0], low=1, high=_SEARCH[1])
    offset = asked.integer("offset", 0, low=0, high=_OFFSET)
    following = asked.flag("following")
    token = respond.require_token(request)
    resolved = None
    if asked.flag("resolve") and offset == 0:
        # Before anything is fetched for them, callers must be who they say.
        await request.app[keys.DATABASE].read(respond.authorise, token, "read:accounts")
        resolved = await resolve_handle(request, words)

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        part: dict[str, int] = {"limit": limit, "offset": offset}
        rows = list(search.accounts(tx, call.urls, words, viewer_id=call.actor_id, following=following, **part))
        if resolved is not None and all(row.id != resolved.id for row in rows) and not following:
            rows = [resolved, *rows][:limit]
        return [entities.account(row, call.site) for row in rows]

    return await respond.read(request, work, scope="read:accounts")


async def resolve_handle(request: web.Request, words: str) -> Row[Any] | None:
    """The account of a whole handle, asked of its server when unknown; None for what is no handle, or nobody's."""
    if "@" not in words.strip().removeprefix("@"):
        return None
    try:
        username, host = local_or_remote(words, request.app[keys.URLS])
    except BadRequest:
        return None
    return await request.app[keys.DISCOVERY].find_handle(username, host)


@routes.get("/api/v1/accounts")
async def several(request: web.Request) -> web.Response:
    """Some accounts; those that are not there are left out."""
    wanted = query(request).ids("id", most=_SEVERAL)

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        rows = loading.in_order(tx, [actor_id for actor_id in wanted if actor_id != INSTANCE_ACTOR_ID])
        return [entities.account(row, call.site) for row in rows if row.deleted_at is None]

    return await respond.read(request, work, scope="read:accounts", anonymous=True)


@routes.get("/api/v1/accounts/{id}")
async def show(request: web.Request) -> web.Response:
    """An account."""
    actor_id = path_id(request)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        return entities.account(find(tx, actor_id), call.site)

    return await respond.read(request, work, scope="read:accounts", anonymous=True)


@routes.get("/api/v1/accounts/{id}/identity_proofs")
async def identity_proofs(request: web.Request) -> web.Response:
    """None: they were proofs by Keybase, which are made no more. Clients that still ask are told so, as elsewhere."""
    actor_id = path_id(request)

    def work(tx: Connection, _call: Call) -> list[dict[str, Any]]:
        find(tx, actor_id)
        return []

    return await respond.read(request, work, scope="read:accounts")


@routes.get("/api/v1/accounts/{id}/statuses")
async def posts(request: web.Request) -> web.Response:
    """What an account posted and boosted, as far as the viewer may see it."""
    actor_id, asked = path_id(request), query(request)
    page = page_of(asked)
    tagged = asked.text("tagged").removeprefix("#")
    pinned, only_media = asked.flag("pinned"), asked.flag("only_media")
    exclude_replies, exclude_boosts = asked.flag("exclude_replies"), asked.flag("exclude_reblogs")

    def work(tx: Connection, call: Call) -> Listing:
        row = find(tx, actor_id)
        tag = statuses.find_tag(tx, tagged, hidden=True) if tagged else None
        if tagged and tag is None:
            return Listing([])
        rows = timelines.account(
            tx,
            row.id,
            page,
            viewer_id=call.viewer_id,
            exclude_replies=exclude_replies,
            exclude_boosts=exclude_boosts,
            only_media=only_media,
            pinned=pinned,
            tag_id=tag.id if tag is not None else None,
        )
        listing = listings.statuses(tx, rows, call)
        # Pins come all at once, in the order of pinning: there is nothing to page by.
        return Listing(listing.items) if pinned else listing

    return await respond.read(request, work, scope="read:statuses", anonymous=True)


async def _relations_of(request: web.Request, load: Callable[[Connection, int, Page], _Pairs]) -> web.Response:
    actor_id, page = path_id(request), page_of(query(request), ACCOUNTS)

    def work(tx: Connection, call: Call) -> Listing:
        row = find(tx, actor_id)
        viewer = call.viewer_id
        hidden = row.suspended_at is not None or (row.hide_relations and viewer != row.id)
        if hidden or (viewer is not None and relations.relationships(tx, viewer, [row.id], now=call.now)[0].blocked_by):
            return Listing([])
        return listings.accounts(tx, load(tx, row.id, page), call)

    return await respond.read(request, work, scope="read:accounts", anonymous=True)


@routes.get("/api/v1/accounts/{id}/followers")
async def followers(request: web.Request) -> web.Response:
    """Who follows an account, as far as known here and not hidden."""
    return await _relations_of(request, relations.followers_page)


@routes.get("/api/v1/accounts/{id}/following")
async def following(request: web.Request) -> web.Response:
    """Whom an account follows, as far as known here and not hidden."""
    return await _relations_of(request, relations.following_page)
